// Every operation on the virtual device, through the Runtime, against brute force: what is moved, computed, reported,
// and left alone.
//
// The environment variable TAILOR_TEST_SCALE multiplies the number of problems (and moves on to other seeds).
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/driver/driver.h"
#include "runtime/virtual_device/virtual_device.h"
#include "tests/runtime/operations/problem.h"

namespace tailor::truth {
namespace {

constexpr int kFailuresShown = 3;

int scale() {
  const char* text = std::getenv("TAILOR_TEST_SCALE");
  return text ? std::max(1, std::atoi(text)) : 1;
}

// One device and one Runtime for the process: kernels are made once.
class Bench {
 public:
  static Bench& get() {
    static Bench bench;
    return bench;
  }

  Runtime* runtime() { return runtime_.get(); }
  const DriverTable& driver() { return *virtual_device::driver_table(); }
  // As the code generator says it: nothing could be compiled without.
  bool has_nvrtc() {
    if (!nvrtc_) {
      Problem problem;
      make_problem(OpId::kGatherRows, Kind::kHonest, 1, problem);
      nvrtc_ = run(problem, {.emitter = Emitter::kNvrtc}).code() != StatusCode::kUnavailable;
    }
    return *nvrtc_;
  }

  Status run(Problem& problem, LaunchOptions options) {
    Status status = attach(problem);
    if (status.ok()) status = problem.launch(*runtime_, options);
    for (Operand& operand : problem.operands) operand.detach(driver());
    for (const virtual_device::Report& report : virtual_device::take_reports()) {
      status = internal_error(status.message() + "; " + virtual_device::to_string(report));
    }
    return status;
  }

 private:
  Bench() {
    auto runtime = Runtime::open({.device = "virtual"});
    EXPECT_TRUE(runtime.ok()) << runtime.status().to_string();
    if (runtime.ok()) runtime_ = std::move(*runtime);
    cu::CUdevice device = 0;
    cu::CUcontext context = nullptr;
    EXPECT_EQ(driver().cuInit(0), cu::CUDA_SUCCESS);
    EXPECT_EQ(driver().cuDeviceGet(&device, 0), cu::CUDA_SUCCESS);
    EXPECT_EQ(driver().cuDevicePrimaryCtxRetain(&context, device), cu::CUDA_SUCCESS);
    EXPECT_EQ(driver().cuCtxSetCurrent(context), cu::CUDA_SUCCESS);
  }

  Status attach(Problem& problem) {
    for (Operand& operand : problem.operands) TAILOR_RETURN_IF_ERROR(operand.attach(driver()));
    return {};
  }

  std::unique_ptr<Runtime> runtime_;
  std::optional<bool> nvrtc_;
};

std::string text_of(uint64_t word) {
  const DeviceFaultReport fault = decode_status_word(word);
  return word == 0 ? "no fault" : fmt::format("fault {} at {}", static_cast<int>(fault.kind), fault.index);
}

// What the status word holds is taken out of the comparison of operands.
std::string wrong_word(Problem& problem) {
  if (!problem.status) return {};
  const uint64_t word = problem.status->bits(0);
  problem.status->expect(0, word);
  if (problem.words.contains(word)) return {};
  const bool any = problem.open || problem.words.empty();
  if (any && word != 0 && to_string(decode_status_word(word).kind) != "unknown") return {};
  if (word == 0 && problem.open) return {};
  std::string expected;
  for (const uint64_t w : problem.words) expected += (expected.empty() ? "" : " or ") + text_of(w);
  return fmt::format("status word: {} ({:#x}); it must be {}", text_of(word), word,
                     expected.empty() ? "some fault" : expected);
}

class Operations : public testing::TestWithParam<std::tuple<OpId, Kind>> {
 protected:
  void try_many(Emitter emitter, int count) {
    const auto [op, kind] = GetParam();
    count *= scale();
    constexpr Lowering kLowerings[] = {Lowering::kTail, Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask};
    constexpr Arch kArchs[] = {Arch::kSm90a, Arch::kSm80};
    int failures = 0, launched = 0, far = 0;
    for (int i = 0; i < count && failures < kFailuresShown; ++i) {
      const auto seed = static_cast<uint32_t>(i * 64 + static_cast<int>(op) * 3 + static_cast<int>(kind) +
                                              (emitter == Emitter::kNvrtc ? 1'000'000 : 0) + 1);
      LaunchInfo info;
      LaunchOptions options{
          .arch = kArchs[i % 2], .emitter = emitter, .lowering = kLowerings[i / 2 % 4], .info = &info};
      const std::string what = try_one(op, kind, seed, options);
      launched += info.launched ? 1 : 0;
      far += info.key.find(" index64=1 ") != std::string::npos ? 1 : 0;
      if (what.empty()) continue;
      ++failures;
      ADD_FAILURE() << what << "\n  seed " << seed << ", key " << info.key;
    }
    if (count >= 6) {
      EXPECT_GT(launched, 0) << "every problem was empty, or refused";
      EXPECT_TRUE(far > 0 || kind != Kind::kWide) << "no offset reached 2^31";
    }
  }

 private:
  static std::string try_one(OpId op, Kind kind, uint32_t seed, const LaunchOptions& options) {
    Problem problem;
    make_problem(op, kind, seed, problem);
    if (const Status status = Bench::get().run(problem, options); !status.ok()) return status.to_string();
    if (std::string word = wrong_word(problem); !word.empty()) return word;
    for (Operand& operand : problem.operands) {
      if (std::string difference = operand.difference(); !difference.empty()) return difference;
    }
    return {};
  }
};

TEST_P(Operations, EveryElementIsAsTheFormulaSays) {
  ASSERT_NE(Bench::get().runtime(), nullptr);
  const Kind kind = std::get<1>(GetParam());
  try_many(Emitter::kLlvm, kind == Kind::kHonest ? 24 : kind == Kind::kHostile ? 12 : 6);
}

TEST_P(Operations, EveryElementIsAsTheFormulaSaysThroughNvrtc) {
  ASSERT_NE(Bench::get().runtime(), nullptr);
  if (!Bench::get().has_nvrtc()) GTEST_SKIP() << "NVRTC is missing";
  try_many(Emitter::kNvrtc, std::get<1>(GetParam()) == Kind::kHonest ? 2 : 1);
}

std::string name_of(const testing::TestParamInfo<std::tuple<OpId, Kind>>& info) {
  std::string name(to_string(std::get<0>(info.param)));
  switch (std::get<1>(info.param)) {
#define X(kind, text, meaning) \
  case Kind::kind:             \
    return name + "_" + text;
    TAILOR_TRUTH_KINDS(X)
#undef X
  }
  return name;
}

std::vector<std::tuple<OpId, Kind>> all() {
  std::vector<std::tuple<OpId, Kind>> all;
  for (int op = 0; op < kOpCount; ++op) {
    const auto id = static_cast<OpId>(op);
    const bool trusts_nothing = id == OpId::kConvert || id == OpId::kCopy;  // no device data that are promised anything
    all.emplace_back(id, Kind::kHonest);
    if (!trusts_nothing) all.emplace_back(id, Kind::kHostile);
    all.emplace_back(id, Kind::kWide);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Operations, testing::ValuesIn(all()), name_of);

}  // namespace
}  // namespace tailor::truth
