#include "codegen/movement/plan_rows.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace tailor::codegen::movement {
namespace {

constexpr int kWarp = 32;
constexpr int64_t kVectorLimit = (int64_t{1} << 31) - 1;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// In elements, as plan_copy counts.
layout::Stride in_elements(const tile::Stride& stride, int64_t element) {
  if (stride.exact) return layout::Stride::constant(*stride.exact / element);
  return layout::Stride::symbolic(stride.symbol, std::max<int64_t>(1, stride.divisor / element));
}

tile::Stride in_bytes(const layout::Stride& stride, int64_t element) {
  if (stride.is_constant()) return tile::Stride::constant(stride.value * element);
  return tile::Stride::of(stride.symbol, stride.divisor * element);
}

layout::CopySide side_of(const tile::View& view) {
  layout::CopySide side;
  side.operand = view.name;
  side.base = {view.base_align, 0};
  const size_t outer = view.dims.size() - 2;
  for (size_t i = 0; i < view.dims.size(); ++i) {
    const layout::Stride stride = in_elements(view.dims[i].stride, view.element_bytes);
    if (i < outer) {
      const auto& exact = view.dims[i].extent.exact;
      side.outer.push_back({view.dims[i].extent.symbol, stride, exact ? *exact : layout::OuterDim::kUnknownExtent});
    } else {
      side.within.push_back(stride);
    }
  }
  return side;
}

Expected<layout::CopyShape> shape_of(const tile::View& source, const tile::View& target, int64_t max_vector_bytes) {
  layout::CopySpace space;
  const char* names[] = {"h", "d"};
  for (size_t i = 0; i < 2; ++i)
    space.dims.push_back({names[i], *source.dims[source.dims.size() - 2 + i].extent.exact});
  return layout::plan_copy(space, side_of(source), side_of(target), source.element_bytes, {}, max_vector_bytes);
}

Expected<CopyPlan> plan(const tile::Program& program, const tile::Node& copy, Lowering lowering) {
  const tile::View &source = program.views()[copy.source], &target = program.views()[copy.view];
  CopyPlan plan;
  plan.copy = copy;
  TAILOR_ASSIGN_OR_RETURN(plan.shape, shape_of(source, target, 16));
  const bool masked = lowering == Lowering::kPow2Mask;
  if (masked && !plan.shape.tail.empty()) {
    // Masks cover whole vectors: the width that divides the run is that of its last tail piece.
    const int64_t width = plan.shape.tail.back().width;
    TAILOR_ASSIGN_OR_RETURN(plan.shape, shape_of(source, target, width));
  }
  const layout::CopyShape& shape = plan.shape;
  std::vector<Digit> runs;
  for (auto d = shape.run_dims.rbegin(); d != shape.run_dims.rend(); ++d) {
    runs.push_back({d->name, d->extent, d->extent, in_bytes(d->src_stride, source.element_bytes),
                    in_bytes(d->dst_stride, source.element_bytes)});
  }
  const auto stream = [&](int64_t width, int64_t offset, int64_t per_run, bool is_body) -> Expected<Stream> {
    Stream s{width, offset, 1, 1, {}, is_body};
    if (per_run > 1) {
      const tile::Stride step = tile::Stride::constant(width);
      s.digits.push_back({"vector", per_run, per_run, step, step});
    }
    s.digits.insert(s.digits.end(), runs.begin(), runs.end());
    for (Digit& d : s.digits) {
      if (masked) d.padded = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(d.radix)));
      s.count *= d.radix;
      if (s.padded_count <= kVectorLimit) s.padded_count *= d.padded;
    }
    if (s.padded_count > kVectorLimit) {
      return unsupported(fmt::format("a row of {} takes {} vectors; {} handles rows of less than 2^31", source.name,
                                     s.padded_count, to_string(lowering)));
    }
    return s;
  };
  TAILOR_ASSIGN_OR_RETURN(Stream body, stream(shape.vector_bytes, 0, shape.vectors_per_run, true));
  plan.streams.push_back(std::move(body));
  for (const layout::TailPiece& piece : shape.tail) {
    TAILOR_ASSIGN_OR_RETURN(Stream tail, stream(piece.width, piece.offset, 1, false));
    plan.streams.push_back(std::move(tail));
  }
  return plan;
}

}  // namespace

bool CopyPlan::same_geometry(const CopyPlan& other) const {
  if (streams.size() != other.streams.size()) return false;
  for (size_t i = 0; i < streams.size(); ++i) {
    const Stream &a = streams[i], &b = other.streams[i];
    if (a.width != b.width || a.count != b.count || a.padded_count != b.padded_count) return false;
  }
  return true;
}

int64_t ThreadMap::full_waves(const Stream& s, Lowering lowering) const {
  switch (lowering) {
    case Lowering::kTail:
      return s.count / lanes;
    case Lowering::kGuarded:
      return ceil_div(s.count, lanes);
    case Lowering::kPow2Mask:
      return ceil_div(s.padded_count, lanes);
  }
  return 0;
}

// Cost of a row with L lanes, in warp-instructions: what a block issues for its R rows, divided by R. A warp pays for
// finding its rows once and for every wave; a sector counts as four instructions: an SM issues 4 instructions per clock
// and its share of a Hopper L2 is about 1 sector. Lanes of a warp that hold neighbouring vectors of one run make one
// segment; its start is anywhere among the aligned places, so n bytes of w-byte vectors touch (n + 32 - w) / 32
// sectors.
double row_cost(int lanes, int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies) {
  constexpr double kFindRow = 64, kWave = 3, kLoopedWave = 4, kSectorBytes = 32, kSectorCost = 4;
  constexpr int64_t kSampledWaves = 4;
  const int rows = std::max(1, kMaxBlockThreads / lanes);
  const int threads = lanes * rows;
  const int64_t waves = ceil_div(vectors, lanes);
  const int64_t sampled = std::min(waves, kSampledWaves);
  const double bytes = static_cast<double>(vector_bytes);
  double sectors = 0, instructions = 0;
  for (int first = 0; first < threads; first += kWarp) {
    const int last = std::min(first + kWarp, threads);
    instructions +=
        kFindRow + static_cast<double>(waves * copies) * (kWave + (waves > kMaxHoistedWaves ? kLoopedWave : 0));
    for (int64_t wave = waves - sampled; wave < waves; ++wave) {
      int64_t run = 0;  // vectors of the open segment
      for (int thread = first; thread < last; ++thread) {
        const int64_t vector = thread % lanes + wave * lanes;
        if (vector < vectors) ++run;
        const bool ends = thread + 1 == last || (thread + 1) % lanes == 0 || (vector + 1) % vectors_per_run == 0;
        if (!ends || run == 0) continue;
        sectors += (static_cast<double>(run) * bytes + kSectorBytes - bytes) / kSectorBytes;
        run = 0;
      }
    }
  }
  // Both sides of every copy.
  sectors *= 2.0 * copies * static_cast<double>(waves) / static_cast<double>(sampled);
  return (instructions + kSectorCost * sectors) / rows;
}

// Among the divisors of V that put a cache line of 128 bytes, or the whole row, side by side and leave a thread at most
// kMaxHoistedWaves accesses, the one with the least cost; a warp with a remainder where that costs less.
int choose_lanes(int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies) {
  const auto cost = [&](int lanes) { return row_cost(lanes, vectors, vectors_per_run, vector_bytes, copies); };
  int best = 0;
  double best_cost = 0;
  for (int lanes = 1; lanes <= kMaxBlockThreads && lanes <= vectors; ++lanes) {
    const bool line = lanes * vector_bytes >= std::min<int64_t>(128, vectors * vector_bytes);
    if (vectors % lanes != 0 || !line || vectors / lanes > kMaxHoistedWaves) continue;
    if (const double c = cost(lanes); best == 0 || c < best_cost) best = lanes, best_cost = c;
  }
  return best == 0 || (vectors > kWarp && cost(kWarp) < best_cost) ? kWarp : best;
}

Expected<RowPlan> plan_rows(const tile::Program& program, const tile::Node& rows, Lowering lowering) {
  RowPlan result;
  result.lowering = lowering;
  for (const tile::Node& node : rows.body) {
    if (node.op != tile::Op::kCopy) continue;
    TAILOR_ASSIGN_OR_RETURN(CopyPlan copy, plan(program, node, lowering));
    result.copies.push_back(std::move(copy));
  }
  if (result.copies.empty()) return invalid_argument("the tile program moves no row");
  const auto widest =
      std::max_element(result.copies.begin(), result.copies.end(),
                       [](const CopyPlan& a, const CopyPlan& b) { return a.streams[0].count < b.streams[0].count; });
  const Stream& body = widest->streams[0];
  ThreadMap& threads = result.threads;
  switch (lowering) {
    case Lowering::kTail:
      threads.lanes =
          choose_lanes(body.count, widest->shape.vectors_per_run, body.width, static_cast<int>(result.copies.size()));
      threads.why =
          body.count % threads.lanes == 0
              ? fmt::format("{} vectors = {} lanes * {} waves, exactly", body.count, threads.lanes,
                            body.count / threads.lanes)
              : fmt::format("{} vectors have no divisor that pays: {} full waves of {} lanes and one of {}", body.count,
                            body.count / threads.lanes, threads.lanes, body.count % threads.lanes);
      break;
    case Lowering::kGuarded:
      threads.lanes = kWarp;
      threads.why = fmt::format("one warp per row: {} waves for {} vectors, each under v < {}",
                                ceil_div(body.count, kWarp), body.count, body.count);
      break;
    case Lowering::kPow2Mask:
      threads.lanes = static_cast<int>(std::min<int64_t>(kWarp, body.padded_count));
      threads.why = fmt::format("{} vectors padded to {}: {} waves of {} lanes, all masked", body.count,
                                body.padded_count, ceil_div(body.padded_count, threads.lanes), threads.lanes);
      break;
  }
  threads.rows_per_block = kMaxBlockThreads / threads.lanes;
  return result;
}

}  // namespace tailor::codegen::movement
