// Every check fires, with the driver's code, the place and the reason, and leaves memory as it was.
#include "tests/runtime/virtual_device/harness.h"

namespace tailor::virtual_device {
namespace {

using ::testing::HasSubstr;

class Check : public testing::DeviceTest {
 protected:
  // k(p, n): %rd1 = p, %r1 = n, %t = thread.
  std::string kernel(const std::string& body, const std::string& declarations = "") {
    return header() + ".visible .entry k(.param .u64 p, .param .u32 n) {\n" + declarations +
           ".reg .b32 %t, %r<9>; .reg .b64 %rd<9>; .reg .pred %p<4>;\n"
           "ld.param.u64 %rd1, [p]; ld.param.u32 %r1, [n]; mov.u32 %t, %tid.x; mul.wide.u32 %rd2, %t, 4; add.s64 %rd3, "
           "%rd1, %rd2;\n" +
           body + " ret; }\n";
  }
  Report failure(const std::string& ptx, cu::CUresult want, cu::CUdeviceptr p, uint32_t n = 0, Shape shape = {}) {
    const auto function = load(ptx);
    if (!function) return {};
    EXPECT_EQ(launch(function, shape, p, n), want);
    const auto reports = take_reports();
    EXPECT_EQ(reports.size(), 1u);
    return reports.empty() ? Report{} : reports[0];
  }
};

TEST_F(Check, LoadPastTheEndNamesAllocationThreadAndLine) {
  const auto p = allocate(100);
  const Report r =
      failure(kernel("\n.file 1 \"x.cu\"\n.loc 1 77 3\nld.global.u32 %r2, [%rd3];"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, p);
  EXPECT_EQ(r.kind, ReportKind::kOutOfBounds);
  EXPECT_EQ(r.kernel, "k");
  EXPECT_EQ(r.thread[0], 25u);
  EXPECT_EQ(r.ptx_line, 10u);
  EXPECT_EQ(r.location_file, 1u);
  EXPECT_EQ(r.location_line, 77u);
  EXPECT_EQ(r.address, p + 100);
  EXPECT_EQ(r.bytes, 4u);
  EXPECT_THAT(r.message, HasSubstr("4-byte global load"));
  EXPECT_THAT(r.message, HasSubstr("0 bytes past the end of allocation"));
  EXPECT_THAT(r.message, HasSubstr("of 100 bytes"));
  EXPECT_THAT(to_string(r), HasSubstr("block (0,0,0), thread (25,0,0), PTX line 10, loc 1:77"));
}

TEST_F(Check, StoreThatFailsChangesNothing) {
  const auto p = upload(std::vector<uint32_t>(25, 7));
  const auto neighbour = upload(std::vector<uint32_t>(25, 8));
  const Report r = failure(kernel("st.global.u32 [%rd3], %t;"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, p);
  EXPECT_EQ(r.kind, ReportKind::kOutOfBounds);
  EXPECT_EQ(download<uint32_t>(p, 25), std::vector<uint32_t>(25, 7));
  EXPECT_EQ(download<uint32_t>(neighbour, 25), std::vector<uint32_t>(25, 8));
}

TEST_F(Check, AccessStraddlingTheEndIsOutOfBounds) {
  const auto p = allocate(6);
  EXPECT_EQ(failure(kernel("ld.global.u32 %r2, [%rd1+4];"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, p).kind,
            ReportKind::kOutOfBounds);
}

TEST_F(Check, NullAndWildPointersAreOutOfBounds) {
  EXPECT_EQ(failure(kernel("ld.global.u32 %r2, [%rd1];"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0).kind,
            ReportKind::kOutOfBounds);
  EXPECT_EQ(failure(kernel("st.global.u8 [%rd1+-1], %r1;"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0).address, ~uint64_t{0});
  int on_host = 0;
  EXPECT_EQ(failure(kernel("st.global.u32 [%rd1], %r1;"), cu::CUDA_ERROR_ILLEGAL_ADDRESS,
                    reinterpret_cast<uint64_t>(&on_host))
                .kind,
            ReportKind::kOutOfBounds);
}

TEST_F(Check, AtomicOutOfBoundsIsCaught) {
  const auto p = allocate(64);
  EXPECT_THAT(failure(kernel("atom.global.add.u32 %r2, [%rd3], 1;"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, p).message,
              HasSubstr("4-byte global"));
}

TEST_F(Check, UseAfterFreeIsToldApart) {
  cu::CUdeviceptr p = 0;
  ASSERT_EQ(driver.cuMemAlloc(&p, 4096), cu::CUDA_SUCCESS);
  ASSERT_EQ(driver.cuMemFree(p), cu::CUDA_SUCCESS);
  const Report r = failure(kernel("ld.global.u32 %r2, [%rd3];"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, p);
  EXPECT_EQ(r.kind, ReportKind::kUseAfterFree);
  EXPECT_THAT(r.message, HasSubstr("which was freed"));
}

TEST_F(Check, MisalignedAccessNamesTheRule) {
  const auto p = allocate(1024);
  const Report r =
      failure(kernel("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd3];"), cu::CUDA_ERROR_MISALIGNED_ADDRESS, p);
  EXPECT_EQ(r.kind, ReportKind::kMisaligned);
  EXPECT_EQ(r.thread[0], 1u);
  EXPECT_THAT(r.message, HasSubstr("16-byte global load"));
  EXPECT_THAT(r.message, HasSubstr("not aligned to 16 bytes (4)"));
  Options o;
  o.check_alignment = false;
  set_options(o);
  run(load(kernel("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd3];")), {}, p, 0u);
}

TEST_F(Check, SharedAccessOutsideTheBlocksMemory) {
  const Report r = failure(
      kernel("mov.u32 %r2, s; mad.lo.u32 %r2, %t, 16, %r2; st.shared.u32 [%r2], %t;", ".shared .align 16 .b8 s[256];"),
      cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0);
  EXPECT_EQ(r.kind, ReportKind::kOutOfBounds);
  EXPECT_EQ(r.thread[0], 16u);
  EXPECT_THAT(r.message, HasSubstr("4-byte shared store"));
}

TEST_F(Check, SharedAccessStaysInsideItsVariable) {
  const std::string two = ".shared .align 16 .b8 first[64]; .shared .align 16 .b8 second[256];";
  const std::string body =
      "setp.eq.u32 %p1, %t, 0; mov.u32 %r3, second; @%p1 st.shared.u32 [%r3+128], 0; mov.u32 %r2, first; "
      "mad.lo.u32 %r2, %t, 4, %r2; st.shared.u32 [%r2], %t;";
  const Report r = failure(kernel(body, two), cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0);
  EXPECT_EQ(r.thread[0], 16u);
  EXPECT_THAT(r.message, HasSubstr("leaves shared variable first"));
  Options o;
  o.check_bounds = false;
  set_options(o);
  run(load(kernel(body, two)), {}, uint64_t{0}, 0u);
}

TEST_F(Check, DynamicSharedMemoryIsSizedAtLaunch) {
  const std::string ptx =
      header() + ".extern .shared .align 16 .b8 dyn[];\n" +
      kernel("mov.u32 %r2, dyn; mad.lo.u32 %r2, %t, 4, %r2; st.shared.u32 [%r2], %t;").substr(header().size());
  run(load(ptx), {1, 32, 128}, uint64_t{0}, 0u);
  EXPECT_EQ(failure(ptx, cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0, 0, {1, 32, 124}).thread[0], 31u);
}

TEST_F(Check, UninitialisedSharedAndLocalReads) {
  const Report r = failure(kernel("mov.u32 %r2, s; mad.lo.u32 %r2, %t, 4, %r2; setp.ne.u32 %p1, %t, 9; @%p1 "
                                  "st.shared.u32 [%r2], %t; ld.shared.u32 %r3, [%r2];",
                                  ".shared .align 16 .b8 s[128];"),
                           cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0);
  EXPECT_EQ(r.kind, ReportKind::kUninitialized);
  EXPECT_EQ(r.thread[0], 9u);
  EXPECT_THAT(r.message, HasSubstr("shared variable s"));
  const Report l = failure(kernel("st.local.u16 [loc], %r1; ld.local.u32 %r3, [loc];", ".local .align 8 .b8 loc[8];"),
                           cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0);
  EXPECT_EQ(l.kind, ReportKind::kUninitialized);
  EXPECT_THAT(l.message, HasSubstr("4-byte local load"));
}

TEST_F(Check, UninitialisedGlobalReadsAreOptIn) {
  Options o;
  o.check_uninitialized_global = true;
  set_options(o);
  const auto p = allocate(256);
  driver.cuMemsetD8(p, 0, 40);
  const Report r = failure(kernel("ld.global.u32 %r2, [%rd3];"), cu::CUDA_ERROR_ILLEGAL_ADDRESS, p);
  EXPECT_EQ(r.kind, ReportKind::kUninitialized);
  EXPECT_EQ(r.thread[0], 10u);
  run(load(kernel("st.global.u32 [%rd3], 1; ld.global.u32 %r2, [%rd3];")), {}, p, 0u);
}

TEST_F(Check, ConstantAndParameterMemoryIsReadOnly) {
  const std::string ptx =
      header() + ".const .align 4 .u32 c = 5;\n" +
      kernel("mov.u64 %rd4, c; cvta.const.u64 %rd4, %rd4; st.u32 [%rd4], %t;").substr(header().size());
  EXPECT_EQ(failure(ptx, cu::CUDA_ERROR_ILLEGAL_ADDRESS, 0).kind, ReportKind::kReadOnly);
}

TEST_F(Check, DeadlockIsReportedWithEveryWaiter) {
  const Report r = failure(kernel("setp.lt.u32 %p1, %t, 32; @%p1 bra A; bar.sync 1; bra B;\nA: bar.sync 2;\nB: "),
                           cu::CUDA_ERROR_LAUNCH_TIMEOUT, 0, 0, {1, 64});
  EXPECT_EQ(r.kind, ReportKind::kDeadlock);
  EXPECT_THAT(r.message, HasSubstr("warp 0"));
  EXPECT_THAT(r.message, HasSubstr("barrier 2"));
  EXPECT_THAT(r.message, HasSubstr("warp 1"));
  EXPECT_THAT(r.message, HasSubstr("barrier 1"));
}

TEST_F(Check, MissingLaneOfAMemberMaskIsADeadlock) {
  const Report r = failure(
      kernel("setp.lt.u32 %p1, %t, 16; @%p1 bra A; shfl.sync.idx.b32 %r2, %t, 0, 31, -1; bra B;\nA: bar.sync 0;\nB: "),
      cu::CUDA_ERROR_LAUNCH_TIMEOUT, 0);
  EXPECT_EQ(r.kind, ReportKind::kDeadlock);
  EXPECT_THAT(r.message, HasSubstr("member mask 0xffffffff"));
}

TEST_F(Check, LaneOutsideItsMemberMaskIsAnError) {
  EXPECT_EQ(failure(kernel("vote.sync.ballot.b32 %r2, %p1, 0xff;"), cu::CUDA_ERROR_ILLEGAL_INSTRUCTION, 0).kind,
            ReportKind::kSynchronization);
}

TEST_F(Check, ShuffleFromASilentLaneIsAnError) {
  EXPECT_THAT(failure(kernel("setp.ge.u32 %p1, %t, 4; @%p1 exit; shfl.sync.idx.b32 %r2, %t, 9, 31, 0xf;"),
                      cu::CUDA_ERROR_ILLEGAL_INSTRUCTION, 0)
                  .message,
              HasSubstr("does not take part"));
}

TEST_F(Check, EndlessLoopStopsAtItsBudget) {
  Options o;
  o.instruction_budget = 100000;
  set_options(o);
  const Report r = failure(kernel("L: bra L;"), cu::CUDA_ERROR_LAUNCH_TIMEOUT, 0);
  EXPECT_EQ(r.kind, ReportKind::kRunaway);
  EXPECT_LE(counters().total_warp_instructions(), 100000u);
}

TEST_F(Check, TrapAndBadCallsStopTheLaunch) {
  EXPECT_EQ(failure(kernel("setp.eq.u32 %p1, %t, 3; @%p1 trap;"), cu::CUDA_ERROR_LAUNCH_FAILED, 0).thread[0], 3u);
  EXPECT_EQ(failure(kernel("{ P: .callprototype _ (); call %rd1, (), P; }"), cu::CUDA_ERROR_INVALID_PC, 0x1234).kind,
            ReportKind::kBadCall);
}

TEST_F(Check, UnsupportedInstructionIsRefusedWhenLoading) {
  EXPECT_EQ(try_load(kernel("\nwgmma.fence.sync.aligned;")), cu::CUDA_ERROR_INVALID_PTX);
  const auto reports = take_reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].kind, ReportKind::kUnsupportedPtx);
  EXPECT_THAT(reports[0].message, HasSubstr("line 8"));
  EXPECT_THAT(reports[0].message, HasSubstr("wgmma.fence"));
}

TEST_F(Check, BadImagesAreRefusedWithTheDriversCodes) {
  EXPECT_EQ(try_load("this is not ptx"), cu::CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(take_reports().at(0).kind, ReportKind::kInvalidPtx);
  EXPECT_EQ(try_load(std::string("\x7F"
                                 "ELF\x02\x01\x01",
                                 7)),
            cu::CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(try_load(header("sm_100a")), cu::CUDA_ERROR_NO_BINARY_FOR_GPU);
  Options o;
  o.compute_major = 8;
  set_options(o);
  EXPECT_EQ(try_load(header("sm_90")), cu::CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(try_load(header("sm_80")), cu::CUDA_SUCCESS);
  char log[256] = {};
  cu::CUjit_option names[] = {cu::CU_JIT_ERROR_LOG_BUFFER, cu::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, reinterpret_cast<void*>(sizeof(log))};
  cu::CUlibrary library = nullptr;
  EXPECT_EQ(driver.cuLibraryLoadData(&library, ".version x", names, values, 2, nullptr, nullptr, 0),
            cu::CUDA_ERROR_INVALID_PTX);
  EXPECT_NE(log[0], 0);
}

TEST_F(Check, LaunchesOutsideTheLimitsAreRefused) {
  const auto f = load(kernel(""));
  EXPECT_EQ(launch(f, {0, 32}, uint64_t{0}, 0u), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(f, {1, 1025}, uint64_t{0}, 0u), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(f, {1, 32, 64 << 10}, uint64_t{0}, 0u), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuFuncSetAttribute(f, cu::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 64 << 10),
            cu::CUDA_SUCCESS);
  EXPECT_EQ(launch(f, {1, 32, 64 << 10}, uint64_t{0}, 0u), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuFuncSetAttribute(f, cu::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 228 << 10),
            cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(reinterpret_cast<cu::CUfunction>(&log), {}, uint64_t{0}, 0u), cu::CUDA_ERROR_INVALID_HANDLE);
  EXPECT_THAT(all_reports(), HasSubstr("1025"));
}

TEST_F(Check, HostCopiesAreBounded) {
  const auto p = allocate(16);
  char bytes[32] = {};
  EXPECT_EQ(driver.cuMemcpyHtoD(p, bytes, 17), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemcpyDtoH(bytes, p + 8, 9), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemsetD8(p - 1, 0, 2), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemFree(p + 4), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemcpyHtoD(p, bytes, 16), cu::CUDA_SUCCESS);
  EXPECT_THAT(all_reports(), HasSubstr("passes the end of allocation"));
}

TEST_F(Check, LargeAllocationsCostWhatIsTouched) {
  cu::CUdeviceptr p = 0;
  const size_t bytes = size_t{40} << 30;
  ASSERT_EQ(driver.cuMemAlloc(&p, bytes), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuMemsetD8(p + bytes - 1, 9, 1), cu::CUDA_SUCCESS);
  unsigned char last = 0;
  EXPECT_EQ(driver.cuMemcpyDtoH(&last, p + bytes - 1, 1), cu::CUDA_SUCCESS);
  EXPECT_EQ(last, 9);
  cu::CUdeviceptr q = 0;
  EXPECT_EQ(driver.cuMemAlloc(&q, size_t{41} << 30), cu::CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(driver.cuMemFree(p), cu::CUDA_SUCCESS);
}

TEST_F(Check, DriverAnswersAboutPointersOccupancyAndStreams) {
  const auto p = allocate(1000);
  cu::CUdeviceptr begin = 0;
  size_t bytes = 0;
  EXPECT_EQ(driver.cuPointerGetAttribute(&begin, cu::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, p + 5), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuPointerGetAttribute(&bytes, cu::CU_POINTER_ATTRIBUTE_RANGE_SIZE, p + 5), cu::CUDA_SUCCESS);
  EXPECT_EQ(begin, p);
  EXPECT_EQ(bytes, 1000u);
  EXPECT_EQ(driver.cuPointerGetAttribute(&begin, cu::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, p + 1000),
            cu::CUDA_ERROR_INVALID_VALUE);
  int blocks = 0;
  EXPECT_EQ(driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, load(kernel("")), 256, 100 << 10),
            cu::CUDA_SUCCESS);
  EXPECT_EQ(blocks, 2);
  cu::CUstream stream = nullptr;
  cu::CUstreamCaptureStatus status = cu::CU_STREAM_CAPTURE_STATUS_ACTIVE;
  EXPECT_EQ(driver.cuStreamCreate(&stream, cu::CU_STREAM_NON_BLOCKING), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuStreamIsCapturing(stream, &status), cu::CUDA_SUCCESS);
  EXPECT_EQ(status, cu::CU_STREAM_CAPTURE_STATUS_NONE);
  EXPECT_EQ(driver.cuStreamDestroy(stream), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuStreamSynchronize(stream), cu::CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(driver.cuCtxSetCurrent(nullptr), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuMemAlloc(&begin, 4), cu::CUDA_ERROR_INVALID_CONTEXT);
  cu::CUcontext context = nullptr;
  driver.cuDevicePrimaryCtxRetain(&context, 0);
  driver.cuCtxSetCurrent(context);
  driver.cuDevicePrimaryCtxRelease(0);
}

TEST_F(Check, RegisteredHostMemoryIsReachedAtItsOwnAddressAndGuarded) {
  std::vector<uint32_t> storage(40, 9);
  uint32_t* const begin = storage.data() + 4;  // 128 bytes, one word per thread, with words on both sides
  const auto p = reinterpret_cast<cu::CUdeviceptr>(begin);
  const std::string store = kernel("st.global.u32 [%rd3], %t;");
  ASSERT_EQ(driver.cuMemHostRegister(begin, 128, 0), cu::CUDA_SUCCESS);
  EXPECT_EQ(launch(load(store), {}, p, 0u), cu::CUDA_SUCCESS);
  for (uint32_t i = 0; i < 40; ++i) EXPECT_EQ(storage[i], i < 4 || i >= 36 ? 9 : i - 4) << i;
  EXPECT_EQ(failure(store, cu::CUDA_ERROR_ILLEGAL_ADDRESS, p + 4).kind, ReportKind::kOutOfBounds);
  EXPECT_EQ(failure(store, cu::CUDA_ERROR_ILLEGAL_ADDRESS, p - 4).kind, ReportKind::kOutOfBounds);
  EXPECT_EQ(storage[3], 9u);
  EXPECT_EQ(storage[36], 9u);

  // A range is registered once, also in part, and is not the table's to free.
  for (uint32_t* other : {begin - 1, begin, begin + 31}) {
    EXPECT_EQ(driver.cuMemHostRegister(other, 8, 0), cu::CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  }
  EXPECT_EQ(driver.cuMemHostRegister(begin + 32, 8, 0), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuMemHostUnregister(begin + 32), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuMemFreeHost(begin), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemHostRegister(nullptr, 8, 0), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemHostRegister(begin + 32, 0, 0), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemHostRegister(begin + 32, SIZE_MAX, 0), cu::CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver.cuMemHostUnregister(begin + 1), cu::CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  EXPECT_EQ(driver.cuMemHostUnregister(begin), cu::CUDA_SUCCESS);
  EXPECT_EQ(driver.cuMemHostUnregister(begin), cu::CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  EXPECT_EQ(failure(store, cu::CUDA_ERROR_ILLEGAL_ADDRESS, p).kind, ReportKind::kOutOfBounds);

  ASSERT_EQ(driver.cuMemHostRegister(begin, 128, cu::kHostRegisterReadOnly), cu::CUDA_SUCCESS);
  EXPECT_EQ(failure(store, cu::CUDA_ERROR_ILLEGAL_ADDRESS, p).kind, ReportKind::kReadOnly);
  EXPECT_EQ(driver.cuMemHostUnregister(begin), cu::CUDA_SUCCESS);
}

TEST_F(Check, TheSharedLibraryIsTheSameDevice) {
  const auto opened = open_virtual_driver();
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(*opened, driver_table());
  EXPECT_STREQ((*opened)->name, "virtual");
}

}  // namespace
}  // namespace tailor::virtual_device
