// The layout algebra on strided layouts of rank 5, without isl, and the vector width query. Budgets: 5 µs for an
// operation, 10 µs for a query.
#include <benchmark/benchmark.h>

#include "codegen/layout/composed_layout.h"
#include "codegen/layout/coordinates.h"
#include "codegen/layout/cute_notation.h"
#include "codegen/layout/reshape.h"
#include "codegen/layout/tiling.h"
#include "codegen/layout/vector_width.h"

namespace {

using namespace tailor::codegen::layout;  // NOLINT: the file is about nothing else

// What a batch of paged heads looks like: nothing to coalesce, no power of two in the way.
const char* const kRankFive = "(12,5,7,3,16):(16,192,960,6720,1)";

template <class Operation>
void measure(benchmark::State& state, Operation operation) {
  const StridedLayout layout = *parse_cute(kRankFive);
  if (const auto result = operation(layout); !result.ok())
    return state.SkipWithError(result.status().message().c_str());
  for (auto _ : state) {
    auto result = operation(layout);
    benchmark::DoNotOptimize(result);
  }
}

#define LAYOUT_BENCHMARK(name, operation)                             \
  void layout_##name(benchmark::State& state) {                       \
    measure(state, [](const StridedLayout& a) { return operation; }); \
  }                                                                   \
  BENCHMARK(layout_##name)->Unit(benchmark::kMicrosecond)

const StridedLayout kTile = *parse_cute("(6,5):(2,12)");
const StridedLayout kRepeats = *parse_cute("(3,2):(1,3)");
const ComposedLayout kSwizzled = *ComposedLayout::parse("Sw<3,4,3> o (8,128):(128,1)");
const Coordinate kCut = *parse_coordinate("(_,2,_,1,_)");
const StridedLayout kShape = *parse_cute("(4,15,7,3,16)");

LAYOUT_BENCHMARK(parse, (static_cast<void>(a), parse_cute(kRankFive)));
LAYOUT_BENCHMARK(coalesce, coalesce(a));
LAYOUT_BENCHMARK(composition, composition(a, kTile));
LAYOUT_BENCHMARK(complement, complement(a, 100000));
LAYOUT_BENCHMARK(right_inverse, right_inverse(a));
LAYOUT_BENCHMARK(left_inverse, left_inverse(a));
LAYOUT_BENCHMARK(logical_divide, logical_divide(a, kTile));
LAYOUT_BENCHMARK(zipped_divide, zipped_divide(a, kTile));
LAYOUT_BENCHMARK(logical_product, logical_product(a, kRepeats));
LAYOUT_BENCHMARK(blocked_product, blocked_product(a, kRepeats));
LAYOUT_BENCHMARK(slice, slice(a, kCut));
LAYOUT_BENCHMARK(flip, flip(a, 2));
LAYOUT_BENCHMARK(reshape, reshape(a, kShape.root()));
LAYOUT_BENCHMARK(upcast, upcast(a, 4));
LAYOUT_BENCHMARK(max_common_vector, max_common_vector(a, a));
LAYOUT_BENCHMARK(swizzled_composition, (static_cast<void>(a), composition(kSwizzled, *parse_cute("(4,8):(2,16)"))));

void vector_width_query(benchmark::State& state) {
  const CopySpace space{{{"h", 8}, {"d", 37}}};
  const CopySide src{"pages",
                     {16, 0},
                     {{"page", Stride::symbolic("stride_p", 8)}, {"slot", Stride::constant(296)}},
                     {Stride::constant(37), Stride::constant(1)}};
  const CopySide dst{"out", {16, 0}, {{"t", Stride::constant(320)}}, {Stride::constant(40), Stride::constant(1)}};
  for (auto _ : state) {
    auto shape = plan_copy(space, src, dst, 2, {}, 16);
    benchmark::DoNotOptimize(shape);
  }
}
BENCHMARK(vector_width_query)->Unit(benchmark::kMicrosecond);

}  // namespace
