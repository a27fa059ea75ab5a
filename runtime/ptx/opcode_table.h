// The one table of PTX mnemonics that this library reads, prints and documents. Included by opcodes.h only.
//
// X(enumerator, mnemonic, operands, words)
//
// mnemonic: its dotted words, longest match wins (`cp.async.bulk.tensor` before `cp.async.bulk`). The rest of the
// dotted
//   words of an instruction are matched against `words`.
//
// operands: one letter per operand; after `?` each may be left out from the right; `|` separates alternatives, tried in
//   order of writing:
//     d  written: register, vector, `_`, or pair d|p        x  read and written (wgmma accumulators)
//     s  read: register, immediate, special, symbol, vector  a  memory: [register+imm], [symbol+imm], [imm]
//     t  tensor memory: [map, {coordinates}]                 l  label          b  name of a .branchtargets list
//     c  the operands of call
//
// words: groups in the order in which they are printed, which is the ISA's. A group is alternatives joined by `,`; one
//   word of it may be given, or must when it begins with `!`. `@name` stands for a list in TAILOR_PTX_WORD_LISTS.
//   Matching is a set match, not a sequence, except that types and state spaces keep their order among themselves.
//   A shape `mXnYkZ` is the group `@shape`. `row#2` is the word `row` given a second time (the layout of B).
//
// Scope: PTX ISA 9.0 as legal for sm_80 … sm_90a. Not here: textures and surfaces, sm_100 instructions (tcgen05,
// st.bulk, clusterlaunchcontrol, …), and pre-sm_70 forms without .sync.
#pragma once

// Lists used by several rows. X(name, words)
#define TAILOR_PTX_WORD_LISTS(X)                                                                     \
  X("b", "b16,b32,b64")                                                                              \
  X("int", "u16,u32,u64,s16,s32,s64")                                                                \
  X("int32", "u32,s32")                                                                              \
  X("half", "f16,f16x2,bf16,bf16x2")                                                                 \
  X("arith", "u16,u32,u64,s16,s32,s64,u16x2,s16x2,f16,f16x2,bf16,bf16x2,f32,f64")                    \
  X("mem", "b8,b16,b32,b64,b128,u8,u16,u32,u64,s8,s16,s32,s64,f16,f16x2,bf16,bf16x2,f32,f64")        \
  X("cvt", "u8,u16,u32,u64,s8,s16,s32,s64,f16,f16x2,bf16,bf16x2,f32,f64,tf32,e4m3x2,e5m2x2")         \
  X("atom", "b16,b32,b64,b128,u32,u64,s32,s64,f16,f16x2,bf16,bf16x2,f32,f64")                        \
  X("mma", "f16,bf16,tf32,f32,f64,e4m3,e5m2,s8,u8,s4,u4,b1,s32")                                     \
  X("rnd", "rn,rz,rm,rp")                                                                            \
  X("scope", "cta,cluster,gpu,sys")                                                                  \
  X("sync", "relaxed,acquire,release,acq_rel")                                                       \
  X("compare", "eq,ne,lt,le,gt,ge,lo,ls,hi,hs,equ,neu,ltu,leu,gtu,geu,num,nan")                      \
  X("bool", "and,or,xor")                                                                            \
  X("vec", "v2,v4")                                                                                  \
  X("space", "global,shared,shared::cta,shared::cluster,local,const,param,param::entry,param::func") \
  X("atomspace", "global,shared,shared::cta,shared::cluster")                                        \
  X("shared", "shared,shared::cta,shared::cluster")                                                  \
  X("L1", "L1::evict_normal,L1::evict_unchanged,L1::evict_first,L1::evict_last,L1::no_allocate")     \
  X("L2", "L2::evict_normal,L2::evict_unchanged,L2::evict_first,L2::evict_last")                     \
  X("fetch", "L2::64B,L2::128B,L2::256B")                                                            \
  X("dim", "1d,2d,3d,4d,5d")                                                                         \
  X("atomop", "add,min,max,and,or,xor,inc,dec,exch,cas")                                             \
  X("redop", "add,min,max,and,or,xor,inc,dec")                                                       \
  X("video", "u32,s32")

// clang-format off
#define TAILOR_PTX_OPCODES(X)                                                                                          \
  /* Integer and floating-point arithmetic: PTX ISA 9.7.1 – 9.7.5 */                                                   \
  X(kAdd, "add", "dss", "@rnd ftz sat cc !@arith")                                                                     \
  X(kSub, "sub", "dss", "@rnd ftz sat cc !@arith")                                                                     \
  X(kAddc, "addc", "dss", "cc !u32,s32,u64,s64")                                                                       \
  X(kSubc, "subc", "dss", "cc !u32,s32,u64,s64")                                                                       \
  X(kMul, "mul", "dss", "lo,hi,wide @rnd ftz sat !@arith")                                                             \
  X(kMad, "mad", "dsss", "lo,hi,wide @rnd ftz sat cc !@arith")                                                         \
  X(kMadc, "madc", "dsss", "!lo,hi cc !u32,s32,u64,s64")                                                               \
  X(kMul24, "mul24", "dss", "!lo,hi !@int32")                                                                          \
  X(kMad24, "mad24", "dsss", "!lo,hi sat !@int32")                                                                     \
  X(kSad, "sad", "dsss", "!@int")                                                                                      \
  X(kDiv, "div", "dss", "approx,full,rn,rz,rm,rp ftz !@int,f32,f64")                                                   \
  X(kRem, "rem", "dss", "!@int")                                                                                       \
  X(kAbs, "abs", "ds", "ftz !s16,s32,s64,f16,f16x2,bf16,bf16x2,f32,f64")                                               \
  X(kNeg, "neg", "ds", "ftz !s16,s32,s64,f16,f16x2,bf16,bf16x2,f32,f64")                                               \
  X(kMin, "min", "dss", "ftz NaN xorsign abs relu !@arith")                                                            \
  X(kMax, "max", "dss", "ftz NaN xorsign abs relu !@arith")                                                            \
  X(kFma, "fma", "dsss", "@rnd ftz sat oob relu !@half,f32,f64")                                                       \
  X(kRcp, "rcp", "ds", "!approx,rn,rz,rm,rp ftz !f32,f64")                                                             \
  X(kSqrt, "sqrt", "ds", "!approx,rn,rz,rm,rp ftz !f32,f64")                                                           \
  X(kRsqrt, "rsqrt", "ds", "!approx ftz !f32,f64")                                                                     \
  X(kSin, "sin", "ds", "!approx ftz !f32")                                                                             \
  X(kCos, "cos", "ds", "!approx ftz !f32")                                                                             \
  X(kLg2, "lg2", "ds", "!approx ftz !f32")                                                                             \
  X(kEx2, "ex2", "ds", "!approx ftz !f16,f16x2,bf16,bf16x2,f32")                                                       \
  X(kTanh, "tanh", "ds", "!approx !f16,f16x2,bf16,bf16x2,f32")                                                         \
  X(kTestp, "testp", "ds", "!finite,infinite,number,notanumber,normal,subnormal !f32,f64")                             \
  X(kCopysign, "copysign", "dss", "!f32,f64")                                                                          \
  X(kPopc, "popc", "ds", "!b32,b64")                                                                                   \
  X(kClz, "clz", "ds", "!b32,b64")                                                                                     \
  X(kBfind, "bfind", "ds", "shiftamt !u32,u64,s32,s64")                                                                \
  X(kFns, "fns", "dsss", "!b32")                                                                                       \
  X(kBrev, "brev", "ds", "!b32,b64")                                                                                   \
  X(kBfe, "bfe", "dsss", "!u32,u64,s32,s64")                                                                           \
  X(kBfi, "bfi", "dssss", "!b32,b64")                                                                                  \
  X(kSzext, "szext", "dss", "!clamp,wrap !@int32")                                                                     \
  X(kBmsk, "bmsk", "dss", "!clamp,wrap !b32")                                                                          \
  X(kDp4a, "dp4a", "dsss", "!@int32 !@int32")                                                                          \
  X(kDp2a, "dp2a", "dsss", "!lo,hi !@int32 !@int32")                                                                   \
  /* Comparison, selection, logic, shifts: 9.7.6 – 9.7.8 */                                                            \
  X(kSet, "set", "dss?s", "!@compare @bool ftz !u32,s32,f16,bf16,f16x2,bf16x2,f32,u16,s16 !@b,@int,@half,f32,f64")     \
  X(kSetp, "setp", "dss?s", "!@compare @bool ftz !@b,@int,@half,f32,f64")                                              \
  X(kSelp, "selp", "dsss", "!@b,@int,f32,f64")                                                                         \
  X(kSlct, "slct", "dsss", "ftz !@b,@int,f32,f64 !s32,f32")                                                            \
  X(kAnd, "and", "dss", "!pred,@b")                                                                                    \
  X(kOr, "or", "dss", "!pred,@b")                                                                                      \
  X(kXor, "xor", "dss", "!pred,@b")                                                                                    \
  X(kNot, "not", "ds", "!pred,@b")                                                                                     \
  X(kCnot, "cnot", "ds", "!@b")                                                                                        \
  X(kLop3, "lop3", "dssss?s", "@bool !b32")                                                                            \
  X(kShf, "shf", "dsss", "!l,r !clamp,wrap !b32")                                                                      \
  X(kShl, "shl", "dss", "!@b")                                                                                         \
  X(kShr, "shr", "dss", "!@b,@int")                                                                                    \
  X(kPrmt, "prmt", "dsss", "!b32 f4e,b4e,rc8,ecl,ecr,rc16")                                                            \
  /* Moves and conversions: 9.7.9 */                                                                                   \
  X(kMov, "mov", "ds", "!pred,@b,b128,@int,f16,f16x2,bf16,bf16x2,f32,f64")                                             \
  X(kCvt, "cvt", "ds?s", "rn,rz,rm,rp,rni,rzi,rmi,rpi,rna ftz sat,satfinite relu !@cvt !@cvt")                        \
  X(kCvtPack, "cvt.pack", "dss?s", "!sat !u16,s16,u8,s8,u4,s4,u2,s2 !s32 b32")                                         \
  X(kCvta, "cvta", "ds", "to !@space !u32,u64")                                                                        \
  X(kIsspacep, "isspacep", "ds", "!@space")                                                                            \
  X(kMapa, "mapa", "dss", "shared::cluster !u32,u64")                                                                  \
  X(kGetctarank, "getctarank", "ds", "shared::cluster !u32,u64")                                                       \
  X(kShfl, "shfl", "dssss", "!sync !up,down,bfly,idx !b32")                                                            \
  /* Loads and stores */                                                                                               \
  X(kLd, "ld", "da?s", "mmio weak,volatile,relaxed,acquire @scope @space ca,cg,cs,lu,cv nc @L1 @L2 L2::cache_hint @fetch @vec !@mem") \
  X(kLdu, "ldu", "da", "global @vec !@mem")                                                                            \
  X(kSt, "st", "as?s", "mmio weak,volatile,relaxed,release @scope @space wb,cg,cs,wt @L1 @L2 L2::cache_hint @vec !@mem") \
  X(kStAsync, "st.async", "asa", "weak,relaxed,release @scope shared::cluster,global mbarrier::complete_tx::bytes @vec !b32,b64,u32,u64,s32,s64,f32,f64") \
  X(kPrefetch, "prefetch", "a", "global,local,const,param tensormap,L1,L2,L2::evict_last,L2::evict_normal")            \
  X(kPrefetchu, "prefetchu", "a", "!L1")                                                                               \
  X(kApplyPriority, "applypriority", "as", "global !L2::evict_normal")                                                 \
  X(kDiscard, "discard", "as", "global !L2")                                                                           \
  X(kCreatePolicyFractional, "createpolicy.fractional", "d?s", "!@L2 @L2 !b64")                                        \
  X(kCreatePolicyRange, "createpolicy.range", "dass", "global !@L2 @L2 !b64")                                          \
  X(kCreatePolicyCvt, "createpolicy.cvt", "ds", "!L2 !b64")                                                            \
  X(kAtom, "atom", "das?ss", "@sync @scope @atomspace !@atomop noftz L2::cache_hint @vec !@atom")                      \
  X(kRed, "red", "as?s", "relaxed,release @scope @atomspace !@redop noftz L2::cache_hint @vec !@atom")                 \
  X(kRedAsync, "red.async", "asa", "relaxed,release @scope shared::cluster,global mbarrier::complete_tx::bytes !@redop !u32,s32,u64,s64,b32,b64") \
  X(kMultimemLdReduce, "multimem.ld_reduce", "da", "weak,relaxed,acquire @scope global !add,min,max,and,or,xor acc::f32 @vec !@atom") \
  X(kMultimemSt, "multimem.st", "as", "weak,relaxed,release @scope global @vec !@atom")                                \
  X(kMultimemRed, "multimem.red", "as", "relaxed,release @scope global !add,min,max,and,or,xor @vec !@atom")           \
  X(kAlloca, "alloca", "ds?s", "!u32,u64")                                                                             \
  X(kStackSave, "stacksave", "d", "!u32,u64")                                                                          \
  X(kStackRestore, "stackrestore", "s", "!u32,u64")                                                                    \
  /* Asynchronous copies: 9.7.9.25 */                                                                                  \
  X(kCpAsync, "cp.async", "aas?ss", "!ca,cg !shared,shared::cta !global L2::cache_hint @fetch")                        \
  X(kCpAsyncCommitGroup, "cp.async.commit_group", "", "")                                                              \
  X(kCpAsyncWaitGroup, "cp.async.wait_group", "s", "")                                                                 \
  X(kCpAsyncWaitAll, "cp.async.wait_all", "", "")                                                                      \
  X(kCpAsyncMbarrierArrive, "cp.async.mbarrier.arrive", "a", "noinc shared,shared::cta !b64")                          \
  X(kCpAsyncBulk, "cp.async.bulk", "aasa?ss|aas?ss", "!global,shared::cta,shared::cluster !global,shared::cta !mbarrier::complete_tx::bytes,bulk_group multicast::cluster L2::cache_hint cp_mask") \
  X(kCpAsyncBulkPrefetch, "cp.async.bulk.prefetch", "as?s", "!L2 !global L2::cache_hint")                              \
  X(kCpAsyncBulkCommitGroup, "cp.async.bulk.commit_group", "", "")                                                     \
  X(kCpAsyncBulkWaitGroup, "cp.async.bulk.wait_group", "s", "read")                                                    \
  X(kCpReduceAsyncBulk, "cp.reduce.async.bulk", "aasa|aas?s", "!global,shared::cluster !shared::cta !mbarrier::complete_tx::bytes,bulk_group L2::cache_hint !@redop noftz !@atom") \
  X(kCpAsyncBulkTensor, "cp.async.bulk.tensor", "ata?sss|ta?s", "!@dim !global,shared::cta,shared::cluster !global,shared::cta tile,im2col,im2col_no_offs !mbarrier::complete_tx::bytes,bulk_group multicast::cluster L2::cache_hint") \
  X(kCpReduceAsyncBulkTensor, "cp.reduce.async.bulk.tensor", "ta?s", "!@dim !global !shared::cta !@redop tile,im2col_no_offs !bulk_group L2::cache_hint") \
  X(kCpAsyncBulkPrefetchTensor, "cp.async.bulk.prefetch.tensor", "t?ss", "!@dim !L2 !global tile,im2col L2::cache_hint") \
  X(kTensormapReplace, "tensormap.replace", "as?s", "!tile !global_address,rank,box_dim,global_dim,global_stride,element_stride,elemtype,interleave_layout,swizzle_mode,fill_mode global,shared::cta !b1024 !b32,b64") \
  X(kTensormapCpFenceproxy, "tensormap.cp_fenceproxy", "aas", "!global !shared::cta !tensormap::generic !release !@scope !sync !aligned") \
  /* Memory ordering: 9.7.13 */                                                                                        \
  X(kFence, "fence", "", "sc,acq_rel,acquire,release sync_restrict::shared::cta,sync_restrict::shared::cluster !@scope") \
  X(kFenceMbarrierInit, "fence.mbarrier_init", "", "!release !cluster")                                                \
  X(kFenceProxy, "fence.proxy", "?as", "!alias,async,async::generic,tensormap::generic global,shared::cta,shared::cluster acquire,release sync_restrict::shared::cta,sync_restrict::shared::cluster @scope") \
  X(kMembar, "membar", "", "!cta,gl,sys")                                                                              \
  X(kMbarrierInit, "mbarrier.init", "as", "shared,shared::cta !b64")                                                   \
  X(kMbarrierInval, "mbarrier.inval", "a", "shared,shared::cta !b64")                                                  \
  X(kMbarrierExpectTx, "mbarrier.expect_tx", "as", "relaxed @scope @shared !b64")                                      \
  X(kMbarrierCompleteTx, "mbarrier.complete_tx", "as", "relaxed @scope @shared !b64")                                  \
  X(kMbarrierArrive, "mbarrier.arrive", "da?s|a?s", "noComplete release,relaxed @scope @shared !b64")                  \
  X(kMbarrierArriveExpectTx, "mbarrier.arrive.expect_tx", "das|as", "release,relaxed @scope @shared !b64")             \
  X(kMbarrierArriveDrop, "mbarrier.arrive_drop", "da?s|a?s", "noComplete release,relaxed @scope @shared !b64")         \
  X(kMbarrierArriveDropExpectTx, "mbarrier.arrive_drop.expect_tx", "das|as", "release,relaxed @scope @shared !b64")    \
  X(kMbarrierTestWait, "mbarrier.test_wait", "das", "parity acquire,relaxed @scope shared,shared::cta !b64")           \
  X(kMbarrierTryWait, "mbarrier.try_wait", "das?s", "parity acquire,relaxed @scope shared,shared::cta !b64")           \
  X(kMbarrierPendingCount, "mbarrier.pending_count", "ds", "!b64")                                                     \
  /* Barriers and warp operations: 9.7.13 */                                                                           \
  X(kBarSync, "bar.sync", "s?s", "")                                                                                   \
  X(kBarArrive, "bar.arrive", "ss", "")                                                                                \
  X(kBarRed, "bar.red", "dss?s", "!popc,and,or !u32,pred")                                                             \
  X(kBarWarpSync, "bar.warp.sync", "s", "")                                                                            \
  X(kBarrierSync, "barrier.sync", "s?s", "aligned")                                                                    \
  X(kBarrierArrive, "barrier.arrive", "ss", "aligned")                                                                 \
  X(kBarrierRed, "barrier.red", "dss?s", "!popc,and,or aligned !u32,pred")                                             \
  X(kBarrierClusterArrive, "barrier.cluster.arrive", "", "release,relaxed aligned")                                    \
  X(kBarrierClusterWait, "barrier.cluster.wait", "", "acquire aligned")                                                \
  X(kVote, "vote", "dss", "!sync !all,any,uni,ballot !pred,b32")                                                       \
  X(kMatch, "match", "dss", "!any,all !sync !b32,b64")                                                                 \
  X(kActivemask, "activemask", "d", "!b32")                                                                            \
  X(kRedux, "redux", "dss", "!sync !add,min,max,and,or,xor !u32,s32,b32")                                              \
  X(kElect, "elect", "ds", "!sync")                                                                                    \
  X(kGriddepcontrolWait, "griddepcontrol.wait", "", "")                                                                \
  X(kGriddepcontrolLaunchDependents, "griddepcontrol.launch_dependents", "", "")                                       \
  X(kSetmaxnreg, "setmaxnreg", "s", "!inc,dec !sync !aligned !u32")                                                    \
  /* Control flow: 9.7.12 */                                                                                           \
  X(kBra, "bra", "l", "uni")                                                                                           \
  X(kBrxIdx, "brx.idx", "sb", "uni")                                                                                   \
  X(kCall, "call", "c", "uni")                                                                                         \
  X(kRet, "ret", "", "uni")                                                                                            \
  X(kExit, "exit", "", "")                                                                                             \
  X(kTrap, "trap", "", "")                                                                                             \
  X(kBrkpt, "brkpt", "", "")                                                                                           \
  X(kNanosleep, "nanosleep", "s", "!u32")                                                                              \
  X(kPmevent, "pmevent", "s", "mask")                                                                                  \
  /* Matrix: 9.7.14, 9.7.15 */                                                                                         \
  X(kLdmatrix, "ldmatrix", "da", "!sync !aligned !@shape !x1,x2,x4 trans shared,shared::cta !b16")                     \
  X(kStmatrix, "stmatrix", "as", "!sync !aligned !@shape !x1,x2,x4 trans shared,shared::cta !b16")                     \
  X(kMovmatrix, "movmatrix", "ds", "!sync !aligned !@shape !trans !b16")                                               \
  X(kMma, "mma", "dsss", "!sync !aligned !@shape !row,col !row#2,col#2 satfinite rn,rz,rm,rp !@mma !@mma !@mma !@mma and,xor popc") \
  X(kMmaSp, "mma.sp", "dsssss", "!sync !aligned !@shape !row,col !row#2,col#2 satfinite !@mma !@mma !@mma !@mma")          \
  X(kMmaSpOrdered, "mma.sp::ordered_metadata", "dsssss", "!sync !aligned !@shape !row,col !row#2,col#2 satfinite !@mma !@mma !@mma !@mma") \
  X(kWmmaLoad, "wmma.load", "da?s", "!a,b,c !sync !aligned !row,col !@shape global,shared,shared::cta !@mma")          \
  X(kWmmaStore, "wmma.store", "as?s", "!d !sync !aligned !row,col !@shape global,shared,shared::cta !@mma")            \
  X(kWmmaMma, "wmma.mma", "dsss", "and,xor popc !sync !aligned !row,col !row#2,col#2 !@shape rn,rz,rm,rp !@mma @mma @mma @mma satfinite") \
  X(kWgmmaMmaAsync, "wgmma.mma_async", "xsss?ssss", "!sync !aligned !@shape satfinite !@mma !@mma !@mma and popc")     \
  X(kWgmmaMmaAsyncSp, "wgmma.mma_async.sp", "xsssss?ssss", "!sync !aligned !@shape satfinite !@mma !@mma !@mma")       \
  X(kWgmmaFence, "wgmma.fence", "", "!sync !aligned")                                                                  \
  X(kWgmmaCommitGroup, "wgmma.commit_group", "", "!sync !aligned")                                                     \
  X(kWgmmaWaitGroup, "wgmma.wait_group", "s", "!sync !aligned")                                                        \
  /* Video (emulated since sm_50, still emitted by SIMD intrinsics): 9.7.18 */                                         \
  X(kVadd, "vadd", "dss?s", "!@video !@video !@video sat add,min,max")                                                 \
  X(kVsub, "vsub", "dss?s", "!@video !@video !@video sat add,min,max")                                                 \
  X(kVabsdiff, "vabsdiff", "dss?s", "!@video !@video !@video sat add,min,max")                                         \
  X(kVmin, "vmin", "dss?s", "!@video !@video !@video sat add,min,max")                                                 \
  X(kVmax, "vmax", "dss?s", "!@video !@video !@video sat add,min,max")                                                 \
  X(kVshl, "vshl", "dss?s", "!@video !@video !@video sat !clamp,wrap add,min,max")                                     \
  X(kVshr, "vshr", "dss?s", "!@video !@video !@video sat !clamp,wrap add,min,max")                                     \
  X(kVmad, "vmad", "dsss", "!@video !@video !@video po sat shr7,shr15")                                                \
  X(kVset, "vset", "dss?s", "!@video !@video !eq,ne,lt,le,gt,ge add,min,max")                                          \
  X(kVadd2, "vadd2", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVsub2, "vsub2", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVavrg2, "vavrg2", "dsss", "!@video !@video !@video sat add")                                                      \
  X(kVabsdiff2, "vabsdiff2", "dsss", "!@video !@video !@video sat add")                                                \
  X(kVmin2, "vmin2", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVmax2, "vmax2", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVset2, "vset2", "dsss", "!@video !@video !eq,ne,lt,le,gt,ge add")                                                 \
  X(kVadd4, "vadd4", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVsub4, "vsub4", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVavrg4, "vavrg4", "dsss", "!@video !@video !@video sat add")                                                      \
  X(kVabsdiff4, "vabsdiff4", "dsss", "!@video !@video !@video sat add")                                                \
  X(kVmin4, "vmin4", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVmax4, "vmax4", "dsss", "!@video !@video !@video sat add")                                                        \
  X(kVset4, "vset4", "dsss", "!@video !@video !eq,ne,lt,le,gt,ge add")
// clang-format on

// Spellings that mean the same as a row above. X(as written, row's mnemonic)
#define TAILOR_PTX_MNEMONIC_ALIASES(X)      \
  X("bar.cta.sync", "bar.sync")             \
  X("bar.cta.arrive", "bar.arrive")         \
  X("bar.cta.red", "bar.red")               \
  X("barrier.cta.sync", "barrier.sync")     \
  X("barrier.cta.arrive", "barrier.arrive") \
  X("barrier.cta.red", "barrier.red")       \
  X("membar.proxy", "fence.proxy")
