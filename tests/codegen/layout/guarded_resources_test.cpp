// What a derivation leaves behind, and whose isl context it works in. Every call into isl that takes a context, or
// makes or frees one, passes through a wrapper here (the linker's --wrap), and so does every allocation of the process.
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <isl/ctx.h>
#include <isl/map.h>
#include <isl/set.h>

#include "codegen/layout/discharge.h"
#include "codegen/layout/guarded_algebra.h"
#include "codegen/layout/guarded_inverse.h"
#include "codegen/layout/isl_bridge.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TAILOR_COUNTS_ALLOCATIONS 0  // the sanitizers own malloc; LeakSanitizer looks instead
#else
#define TAILOR_COUNTS_ALLOCATIONS 1
#endif

namespace {

std::atomic<int64_t> live_allocations{0};

struct Contexts {
  std::mutex mutex;
  std::map<isl_ctx*, std::thread::id> live;
  size_t made = 0;
  size_t foreign_uses = 0;

  void use(isl_ctx* ctx) {
    const std::lock_guard lock(mutex);
    const auto found = live.find(ctx);
    if (found == live.end() || found->second != std::this_thread::get_id()) ++foreign_uses;
  }
};
Contexts& contexts() {
  static Contexts all;
  return all;
}

}  // namespace

extern "C" {

isl_ctx* __real_isl_ctx_alloc();
void __real_isl_ctx_free(isl_ctx* ctx);
isl_set* __real_isl_set_read_from_str(isl_ctx* ctx, const char* text);
isl_map* __real_isl_map_read_from_str(isl_ctx* ctx, const char* text);
void __real_isl_ctx_set_max_operations(isl_ctx* ctx, unsigned long operations);

isl_ctx* __wrap_isl_ctx_alloc() {
  isl_ctx* ctx = __real_isl_ctx_alloc();
  const std::lock_guard lock(contexts().mutex);
  contexts().live[ctx] = std::this_thread::get_id();
  ++contexts().made;
  return ctx;
}
void __wrap_isl_ctx_free(isl_ctx* ctx) {
  contexts().use(ctx);
  {
    const std::lock_guard lock(contexts().mutex);
    contexts().live.erase(ctx);
  }
  __real_isl_ctx_free(ctx);
}
isl_set* __wrap_isl_set_read_from_str(isl_ctx* ctx, const char* text) {
  contexts().use(ctx);
  return __real_isl_set_read_from_str(ctx, text);
}
isl_map* __wrap_isl_map_read_from_str(isl_ctx* ctx, const char* text) {
  contexts().use(ctx);
  return __real_isl_map_read_from_str(ctx, text);
}
void __wrap_isl_ctx_set_max_operations(isl_ctx* ctx, unsigned long operations) {
  contexts().use(ctx);
  __real_isl_ctx_set_max_operations(ctx, operations);
}

#if TAILOR_COUNTS_ALLOCATIONS
// Definitions in the program replace glibc's for every library of the process, isl and GMP included.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* p);

void* malloc(size_t size) {
  void* p = __libc_malloc(size);
  if (p != nullptr) ++live_allocations;
  return p;
}
void* calloc(size_t count, size_t size) {
  void* p = __libc_calloc(count, size);
  if (p != nullptr) ++live_allocations;
  return p;
}
void* realloc(void* old, size_t size) {
  void* p = __libc_realloc(old, size);
  if (old == nullptr && p != nullptr) ++live_allocations;
  if (old != nullptr && p == nullptr && size == 0) --live_allocations;
  return p;
}
void* memalign(size_t alignment, size_t size) {
  void* p = __libc_memalign(alignment, size);
  if (p != nullptr) ++live_allocations;
  return p;
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  *out = memalign(alignment, size);
  return *out == nullptr ? 12 : 0;  // ENOMEM
}
void free(void* p) {
  if (p != nullptr) --live_allocations;
  __libc_free(p);
}
#endif

}  // extern "C"

namespace tailor::codegen::layout {
namespace {

using Layout = GuardedAffineLayout;

struct Inputs {
  Layout ragged =
      *Layout::parse("layout [n] (i: n + 5, j: 8) -> 1 { when i < n: (8*i + j); when i >= n: (12*i + j - 4*n); }");
  Layout coprime = *Layout::parse("layout [n] (i: 7, j: n) -> 1 { when i + j < 9: (3*i + 22*j); }");
  Layout twice = *Layout::parse("layout [] (i: 4, j: 3) -> 1 { : (2*i + 4*j); }");
  Layout symbolic = *Layout::parse("layout [s] (i: 4, j: 8) -> 1 { : (s*i + j); }");
  Layout tile = *Layout::parse("layout [] (t: 4) -> 1 { : (t); }");
  Facts facts;
  Inputs() { EXPECT_TRUE(facts.range("n", 0, 50).ok()); }
};

// One derivation of each kind, refusals and spent quotas among them.
using Derivation = std::function<bool(const Inputs&)>;
const std::vector<std::pair<const char*, Derivation>>& derivations() {
  static const std::vector<std::pair<const char*, Derivation>> all = {
      {"left_inverse", [](const Inputs& in) { return left_inverse(in.ragged, in.facts).ok(); }},
      {"left_inverse by isl",
       [](const Inputs& in) { return inverse_by_isl(in.coprime, InverseKind::kLeft, {}, in.facts).ok(); }},
      {"left_inverse refused", [](const Inputs& in) { return !left_inverse(in.twice).ok(); }},
      {"left_inverse symbolic", [](const Inputs& in) { return !left_inverse(in.symbolic).ok(); }},
      {"left_inverse without quota",
       [](const Inputs& in) { return !inverse_by_isl(in.ragged, InverseKind::kLeft, {}, in.facts, 700).ok(); }},
      {"right_inverse", [](const Inputs& in) { return right_inverse(in.twice).ok(); }},
      {"right_inverse_onto", [](const Inputs& in) { return !right_inverse_onto(in.twice, {AffineExpr(3)}).ok(); }},
      {"find_collision", [](const Inputs& in) { return find_collision(in.coprime, in.facts).ok(); }},
      {"max_common_vector", [](const Inputs& in) { return max_common_vector(in.ragged, in.ragged, in.facts).ok(); }},
      {"equal_by_isl", [](const Inputs& in) { return equal_by_isl(in.ragged, in.ragged).ok(); }},
      {"equal_by_isl without quota", [](const Inputs& in) { return equal_by_isl(in.ragged, in.ragged, {}, 10).ok(); }},
      {"check_disjoint", [](const Inputs& in) { return check_disjoint(in.ragged).ok(); }},
      {"to_isl_map", [](const Inputs& in) { return to_isl_map(in.ragged).ok(); }},
      {"discharge", [](const Inputs& in) { return discharge(in.ragged, in.facts).ok(); }},
      {"complement", [](const Inputs& in) { return complement(in.twice, AffineExpr(60)).ok(); }},
      {"divide",
       [](const Inputs& in) {
         return divide(in.ragged, {{"i", in.tile}}, Arrangement::kZipped, in.facts).ok();
       }},
      {"product", [](const Inputs& in) { return product(in.twice, in.tile, Arrangement::kBlocked).ok(); }},
      {"composition", [](const Inputs& in) { return composition(in.tile, in.twice).ok(); }},
      {"reshape",
       [](const Inputs& in) {
         return reshape(in.twice, {"i", "j"}, {{"u", AffineExpr(2)}, {"v", AffineExpr(6)}}).ok();
       }},
      {"flip", [](const Inputs& in) { return flip(in.ragged, "i").ok(); }},
      {"dice", [](const Inputs& in) { return dice(in.ragged, {"i"}).ok(); }},
      {"downcast and upcast", [](const Inputs& in) { return upcast(*downcast(in.ragged, 4), 4).ok(); }},
      {"coalesce", [](const Inputs& in) { return in.ragged.coalesce().ok(); }},
      {"slice", [](const Inputs& in) { return in.ragged.slice("i", AffineExpr(3)).ok(); }},
      {"parse and print", [](const Inputs& in) { return Layout::parse(in.ragged.to_string()).ok(); }},
  };
  return all;
}

TEST(GuardedResources, EveryDerivationReturnsItsMemory) {
  const Inputs inputs;
  for (const auto& [name, derive] : derivations()) {
    EXPECT_TRUE(derive(inputs)) << name;  // once before counting: first uses initialise libraries
    const int64_t before = live_allocations;
    bool as_expected = true;
    for (int i = 0; i < 3; ++i) as_expected = derive(inputs) && as_expected;
    const int64_t after = live_allocations;
    EXPECT_TRUE(as_expected) << name;
    EXPECT_EQ(after, before) << name;
    EXPECT_TRUE(contexts().live.empty()) << name;
  }
#if TAILOR_COUNTS_ALLOCATIONS
  const int64_t before = live_allocations;
  void* volatile kept = std::malloc(100);
  EXPECT_EQ(live_allocations, before + 1) << "the counter counts";
  std::free(kept);
#endif
}

TEST(GuardedResources, EachThreadDerivesInContextsOfItsOwn) {
  const size_t made_before = contexts().made;
  const size_t foreign_before = contexts().foreign_uses;
  const Inputs inputs;  // shared: const access from any thread
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto& all = derivations();
      for (size_t i = 0; i < 2 * all.size(); ++i) {
        if (!all[(i + static_cast<size_t>(3 * t)) % all.size()].second(inputs)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(contexts().made, made_before + 100);
  EXPECT_EQ(contexts().foreign_uses, foreign_before) << "a context was used by a thread that did not make it";
  EXPECT_EQ(foreign_before, 0u);
  EXPECT_TRUE(contexts().live.empty());
}

}  // namespace
}  // namespace tailor::codegen::layout
