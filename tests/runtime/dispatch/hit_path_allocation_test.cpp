// The hit path allocates nothing: every allocation of the process is counted. (Not inlined, because GCC would take
// malloc and free inside them for a mismatched pair.)
#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>

#include <gtest/gtest.h>

#include "runtime/ops/problem.h"
#include "tests/runtime/dispatch/harness.h"

namespace {
std::atomic<long> allocations{0};
}

[[gnu::noinline]] void* operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](size_t bytes) { return operator new(bytes); }
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t align) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const auto a = static_cast<size_t>(align);
  if (void* p = std::aligned_alloc(a, (bytes + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace tailor {
namespace {

using namespace tailor::testing;

TEST(HitPath, AllocatesNothing) {
  FakeDriver driver;
  const auto runtime = open_fake(driver, std::make_shared<FakeGenerator>());
  PagedGather empty = gather_operands();
  empty.packed.shape[0] = 0;
  const long start = allocations;
  ASSERT_TRUE(runtime->launch(gather_operands()).ok());
  ASSERT_GT(allocations - start, 10) << "the count does count";
  bool ok = true;
  const auto check = [&](const auto& op) {
    ok &= runtime->launch(op).ok();
    const long before = allocations;
    for (int i = 0; i < 1000; ++i) {
      ok &= runtime->launch(op).ok();
      ok &= runtime->launch(empty).ok();
      ok &= runtime->warm(op).ok();
    }
    return allocations - before;
  };
#define X(name, Operands) EXPECT_EQ(check(good_operands<Operands>()), 0) << #name;
  TAILOR_OPERANDS(X)
#undef X
  EXPECT_TRUE(ok);
}

// Counting residues, up to the launch that learns one, allocates nothing either.
TEST(HitPath, CountingResiduesAllocatesNothing) {
  FakeDriver driver;
  RuntimeOptions options;
  options.learn_residues_after = 1000;
  const auto runtime = open_fake(driver, std::make_shared<FakeGenerator>(), options);
  StridedCopy op;
  op.source = Tensor::dense(at(0), DType::kFloat32, {129, 65});
  op.target = Tensor::dense(at(1), DType::kFloat32, {65, 129});
  std::swap(op.target.shape[0], op.target.shape[1]);
  std::swap(op.target.stride[0], op.target.stride[1]);
  bool ok = runtime->launch(op).ok();
  const long before = allocations;
  for (int i = 0; i < 900; ++i) ok &= runtime->launch(op).ok();
  const long after = allocations;
  EXPECT_TRUE(ok);
  EXPECT_EQ(after - before, 0);
}

TEST(Problem, AllocatesNothingWhenItIsValid) {
  const auto check = [](const auto& op) {
    const long before = allocations;
    bool ok = make_problem(op).ok();
    const Key key = make_key(*make_problem(op), Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
    ok &= validate(key).ok();
    return ok ? allocations - before : -1;
  };
#define X(name, Operands) EXPECT_EQ(check(good_operands<Operands>()), 0) << #name;
  TAILOR_OPERANDS(X)
#undef X
}

}  // namespace
}  // namespace tailor
