// Host cost of a launch, over a driver that does nothing: validation, bucket, look-up, plan, parameter packing.
// Held against DESIGN section 7: bucket + look-up <= 100 ns, entry of launch to the driver call <= 200 ns.
#include <benchmark/benchmark.h>

#include "runtime/dispatch/runtime_access.h"
#include "runtime/dispatch/specialization_table.h"
#include "runtime/ops/overlap.h"
#include "runtime/ops/problem.h"
#include "tests/runtime/dispatch/fakes.h"
#include "tests/runtime/ops/operands.h"

namespace {

using namespace tailor;
using namespace tailor::testing;

template <class Op>
Op operands();
template <>
PagedGather operands<PagedGather>() {
  return gather_operands();
}
template <>
PagedAppend operands<PagedAppend>() {
  return append_operands();
}

// A table with 1000 other keys, as a long-lived server has.
void fill(SpecializationTable& table, const Key& wanted) {
  LaunchPlan plan;
  for (auto& g : plan.grid) g = {{PlanOp::kConstant, 1}};
  const auto insert = [&](const Key& key) {
    table.insert(std::make_unique<LaunchableKernel>(LaunchableKernel{key, nullptr, {}, PackedPlan(plan)}));
  };
  insert(wanted);
  Key other = wanted;
  for (uint64_t n = 1; n <= 1000; ++n) {
    other.set(KeyField::kHeadDim, n + 1000);
    insert(other);
  }
}

template <class Op>
void validate_operands(benchmark::State& state) {
  Op op = operands<Op>();
  Problem problem;
  for (auto _ : state) {
    benchmark::DoNotOptimize(op);
    benchmark::DoNotOptimize(fill_problem(op, problem).ok());
    benchmark::DoNotOptimize(problem);
  }
}

template <class Op>
void bucket_and_lookup(benchmark::State& state) {
  Problem problem = *make_problem(operands<Op>());
  SpecializationTable table;
  fill(table, make_key(problem, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail));
  for (auto _ : state) {
    benchmark::DoNotOptimize(problem);
    const Key key = make_key(problem, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
    benchmark::DoNotOptimize(table.find(key));
  }
}

template <class Op>
void validate_bucket_and_lookup(benchmark::State& state) {
  Op op = operands<Op>();
  SpecializationTable table;
  fill(table, make_key(*make_problem(op), Arch::kSm90a, Emitter::kLlvm, Lowering::kTail));
  Problem problem;
  for (auto _ : state) {
    benchmark::DoNotOptimize(op);
    benchmark::DoNotOptimize(fill_problem(op, problem).ok());
    const Key key = make_key(problem, Arch::kSm90a, Emitter::kLlvm, Lowering::kTail);
    benchmark::DoNotOptimize(table.find(key));
  }
}

template <class Op>
void launch_to_driver_call(benchmark::State& state) {
  FakeDriver driver;
  driver.state.record = false;
  RuntimeParts parts;
  parts.driver = &driver.table;
  parts.generator = std::make_shared<FakeGenerator>();
  auto runtime = RuntimeAccess::open({}, std::move(parts));
  Op op = operands<Op>();
  if (!runtime.ok() || !(*runtime)->launch(op).ok()) {
    state.SkipWithError("the launch over the fake driver failed");
    return;
  }
  fake_current_context = fake_primary_context();
  for (auto _ : state) {
    benchmark::DoNotOptimize(op);
    benchmark::DoNotOptimize((*runtime)->launch(op).ok());
  }
  fake_current_context = nullptr;
}

// What a layout costs that does not nest in the order of its dimensions, and one that takes the exact search.
void overlap_permuted(benchmark::State& state) {
  StridedDim dims[] = {{64, 16384}, {16, 128}, {8, 2048}, {128, 1}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(dims);
    benchmark::DoNotOptimize(self_overlap(dims));
  }
}
void overlap_searched(benchmark::State& state) {
  StridedDim dims[] = {{8, 3000}, {3, 2}, {2, 3}, {100, 30}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(dims);
    benchmark::DoNotOptimize(self_overlap(dims));
  }
}

BENCHMARK(validate_operands<PagedGather>)->Name("launch/validate/paged_gather");
BENCHMARK(validate_operands<PagedAppend>)->Name("launch/validate/paged_append");
BENCHMARK(bucket_and_lookup<PagedGather>)->Name("launch/bucket_lookup/paged_gather");
BENCHMARK(bucket_and_lookup<PagedAppend>)->Name("launch/bucket_lookup/paged_append");
BENCHMARK(validate_bucket_and_lookup<PagedGather>)->Name("launch/validate_bucket_lookup/paged_gather");
BENCHMARK(validate_bucket_and_lookup<PagedAppend>)->Name("launch/validate_bucket_lookup/paged_append");
BENCHMARK(launch_to_driver_call<PagedGather>)->Name("launch/entry_to_driver_call/paged_gather");
BENCHMARK(launch_to_driver_call<PagedAppend>)->Name("launch/entry_to_driver_call/paged_append");
BENCHMARK(overlap_permuted)->Name("launch/overlap/permuted");
BENCHMARK(overlap_searched)->Name("launch/overlap/searched");

}  // namespace
