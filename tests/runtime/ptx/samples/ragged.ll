; Ragged copy, switch, vector memory operations and a call, as LLVM's NVPTX back end prints them.
target triple = "nvptx64-nvidia-cuda"
target datalayout = "e-p6:32:32-i64:64-i128:128-v16:16-v32:32-n16:32:64"
@scratch = internal addrspace(3) global [256 x i32] undef, align 16
@dynamic = external addrspace(3) global [0 x i8], align 16
@lut = internal addrspace(4) constant [4 x i32] [i32 1, i32 -2, i32 3, i32 4], align 4
@counter = addrspace(1) global i64 0, align 8
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare void @llvm.nvvm.barrier0()
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
declare float @llvm.fma.f32(float, float, float)
declare i32 @llvm.smax.i32(i32, i32)
declare i32 @vprintf(ptr, ptr)
define internal i64 @helper(i64 %a, i32 %b) noinline {
  %w = sext i32 %b to i64
  %m = mul i64 %a, %w
  ret i64 %m
}
define void @copy(ptr addrspace(1) %src, ptr addrspace(1) %dst, ptr addrspace(1) %offsets, i32 %n, i64 %stride) !dbg !5 {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x(), !dbg !8
  %cta = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x(), !dbg !8
  %nt = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x(), !dbg !8
  %g64 = sext i32 %cta to i64
  %po = getelementptr i32, ptr addrspace(1) %offsets, i64 %g64
  %begin = load i32, ptr addrspace(1) %po, align 4, !dbg !9
  %po1 = getelementptr i32, ptr addrspace(1) %po, i64 1
  %end = load i32, ptr addrspace(1) %po1, align 4, !dbg !9
  %len = sub i32 %end, %begin
  %row = call i64 @helper(i64 %stride, i32 %cta), !dbg !10
  %s = getelementptr i8, ptr addrspace(1) %src, i64 %row
  %b64 = sext i32 %begin to i64
  %d = getelementptr i8, ptr addrspace(1) %dst, i64 %b64
  br label %loop
loop:
  %i = phi i32 [%tid, %entry], [%next, %body]
  %c = icmp slt i32 %i, %len
  br i1 %c, label %body, label %tail
body:
  %i64 = sext i32 %i to i64
  %off = shl i64 %i64, 4
  %ps = getelementptr i8, ptr addrspace(1) %s, i64 %off
  %pd = getelementptr i8, ptr addrspace(1) %d, i64 %off
  %v = load <4 x i32>, ptr addrspace(1) %ps, align 16, !dbg !11
  store <4 x i32> %v, ptr addrspace(1) %pd, align 16, !dbg !12
  %next = add i32 %i, %nt
  br label %loop
tail:
  %ptr = getelementptr i32, ptr addrspace(3) @scratch, i32 %tid
  store i32 %len, ptr addrspace(3) %ptr, align 4
  call void @llvm.nvvm.barrier0()
  %x = xor i32 %tid, 1
  %ptr2 = getelementptr i32, ptr addrspace(3) @scratch, i32 %x
  %l2 = load i32, ptr addrspace(3) %ptr2, align 4
  %sh = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %l2, i32 1, i32 31)
  %li = and i32 %sh, 3
  %pl = getelementptr [4 x i32], ptr addrspace(4) @lut, i32 0, i32 %li
  %lv = load i32, ptr addrspace(4) %pl, align 4
  %mx = call i32 @llvm.smax.i32(i32 %lv, i32 %sh)
  switch i32 %mx, label %done [ i32 0, label %c0
    i32 1, label %c1
    i32 2, label %c2
    i32 5, label %c3 ]
c0:
  %old = atomicrmw add ptr addrspace(1) @counter, i64 1 monotonic
  br label %done
c1:
  %dp = getelementptr i8, ptr addrspace(3) @dynamic, i32 %tid
  store i8 7, ptr addrspace(3) %dp
  br label %done
c2:
  %stack = alloca [8 x i32], align 4
  %sp = getelementptr [8 x i32], ptr %stack, i32 0, i32 %li
  store volatile i32 %mx, ptr %sp
  %r = call i32 @vprintf(ptr %stack, ptr %sp)
  br label %done
c3:
  %f = sitofp i32 %mx to float
  %ff = call float @llvm.fma.f32(float %f, float 1.5, float %f)
  %h = fptrunc float %ff to half
  store half %h, ptr addrspace(1) %dst
  %cx = cmpxchg ptr addrspace(1) %dst, i32 1, i32 2 seq_cst seq_cst
  br label %done
done:
  %q = sdiv i32 %n, %nt
  %qq = udiv i32 %q, 7
  store i32 %qq, ptr addrspace(1) %po
  ret void
}
!nvvm.annotations = !{!0, !1}
!llvm.dbg.cu = !{!2}
!llvm.module.flags = !{!4, !13}
!0 = !{ptr @copy, !"kernel", i32 1}
!1 = !{ptr @copy, !"maxntidx", i32 256}
!2 = distinct !DICompileUnit(language: DW_LANG_C, file: !3, producer: "tailor", isOptimized: true, runtimeVersion: 0, emissionKind: DebugDirectivesOnly)
!3 = !DIFile(filename: "ragged.tile", directory: "")
!4 = !{i32 2, !"Debug Info Version", i32 3}
!5 = distinct !DISubprogram(name: "copy", file: !3, line: 1, type: !6, unit: !2, spFlags: DISPFlagDefinition)
!6 = !DISubroutineType(types: !7)
!7 = !{}
!8 = !DILocation(line: 2, column: 1, scope: !5)
!9 = !DILocation(line: 3, column: 1, scope: !5)
!10 = !DILocation(line: 4, column: 1, scope: !5)
!11 = !DILocation(line: 1001, column: 1, scope: !5)
!12 = !DILocation(line: 1002, column: 1, scope: !5)
!13 = !{i32 7, !"Dwarf Version", i32 4}
