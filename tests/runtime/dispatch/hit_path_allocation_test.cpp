// The hit path allocates nothing: every allocation of the process is counted. (Not inlined, because GCC would take
// malloc and free inside them for a mismatched pair.)
#include <atomic>
#include <cstdlib>
#include <new>

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
  const PagedGather gather = gather_operands();
  const PagedAppend append = append_operands();
  PagedGather empty = gather;
  empty.packed.shape[0] = 0;
  const long start = allocations;
  ASSERT_TRUE(runtime->launch(gather).ok());
  ASSERT_TRUE(runtime->launch(append).ok());
  ASSERT_GT(allocations - start, 10) << "the count does count";
  const long before = allocations;
  bool ok = true;
  for (int i = 0; i < 1000; ++i) {
    ok &= runtime->launch(gather).ok();
    ok &= runtime->launch(append).ok();
    ok &= runtime->launch(empty).ok();
    ok &= runtime->warm(gather).ok();
  }
  const long after = allocations;
  EXPECT_TRUE(ok);
  EXPECT_EQ(after - before, 0);
}

TEST(Problem, AllocatesNothingWhenItIsValid) {
  const PagedGather gather = gather_operands();
  const PagedAppend append = append_operands();
  const long before = allocations;
  bool ok = make_problem(gather).ok() && make_problem(append).ok();
  const Key key = make_key(*make_problem(gather), Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
  ok &= validate(key).ok();
  const long after = allocations;
  EXPECT_TRUE(ok);
  EXPECT_EQ(after - before, 0);
}

}  // namespace
}  // namespace tailor
