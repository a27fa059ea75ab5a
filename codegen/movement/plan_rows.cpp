#include "codegen/movement/plan_rows.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include <fmt/format.h>

#include "codegen/movement/rotate.h"
#include "codegen/movement/row_runs.h"

namespace tailor::codegen::movement {
namespace {

constexpr int kWarp = 32;
int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

Expected<CopyPlan> plan(const tile::Program& program, const tile::Node& copy, size_t loop, Lowering lowering) {
  const tile::View& target = program.views()[copy.view];
  const tile::View& source = copy.source == tile::kNone ? target : program.views()[copy.source];
  TAILOR_ASSIGN_OR_RETURN(RowStreams row, copy.op == tile::Op::kRotate ? rotate_streams(program, copy, lowering)
                                                                       : copy_streams(source, target, lowering));
  return CopyPlan{copy, loop, std::move(row.shape), std::move(row.streams)};
}

}  // namespace

bool CopyPlan::same_geometry(const CopyPlan& other) const {
  if (streams.size() != other.streams.size()) return false;
  for (size_t i = 0; i < streams.size(); ++i) {
    const Stream &a = streams[i], &b = other.streams[i];
    if (a.rotates || b.rotates) return false;
    if (a.width != b.width || a.count != b.count || a.padded_count != b.padded_count ||
        a.source_ratio != b.source_ratio || a.target_ratio != b.target_ratio) {
      return false;
    }
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

// Cost of a row with L lanes of `threads`, in warp-instructions: what the threads issue for their rows, divided by the
// number of these. A warp pays for finding its rows and for every wave; a sector counts as four instructions: an SM
// issues 4 instructions per clock and its share of a Hopper L2 is about 1 sector. Lanes of a warp that hold
// neighbouring vectors of one run make one segment; its start is anywhere among the aligned places, so n bytes of
// w-byte vectors touch (n + 32 - w) / 32 sectors.
double row_cost(int lanes, int threads, double find, int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes,
                int copies) {
  constexpr double kWave = 3, kLoopedWave = 4, kSectorBytes = 32, kSectorCost = 4;
  constexpr int64_t kSampledWaves = 4;
  const int64_t waves = ceil_div(vectors, lanes);
  const int64_t sampled = std::min(waves, kSampledWaves);
  const double bytes = static_cast<double>(vector_bytes);
  double sectors = 0, instructions = 0;
  for (int first = 0; first < threads; first += kWarp) {
    const int last = std::min(first + kWarp, threads);
    instructions += find + static_cast<double>(waves * copies) * (kWave + (waves > kMaxHoistedWaves ? kLoopedWave : 0));
    for (int64_t wave = waves - sampled; wave < waves; ++wave) {
      int64_t run = 0;  // vectors of the open segment
      for (int thread = first; thread < last; ++thread) {
        const int64_t vector = thread % lanes + wave * lanes;
        if (vector < vectors) ++run;
        const bool ends = thread + 1 == last || (thread + 1) % lanes == 0 || (vector + 1) % vectors_per_run == 0;
        if (!ends || run == 0) continue;
        const double open = vector_bytes < 16 ? kSectorBytes - bytes : vectors_per_run % 2 == 0 ? 0 : kSectorBytes / 4;
        sectors += (static_cast<double>(run) * bytes + open) / kSectorBytes;
        run = 0;
      }
    }
  }
  // Both sides of every copy.
  sectors *= 2.0 * copies * static_cast<double>(waves) / static_cast<double>(sampled);
  return (instructions + kSectorCost * sectors) / (threads / lanes);
}

// A cache line of 128 bytes, or the whole row, side by side.
bool fills_line(int lanes, int64_t vectors, int64_t vector_bytes) {
  return lanes * vector_bytes >= std::min<int64_t>(128, vectors * vector_bytes);
}

// Among the divisors of V that put a cache line of 128 bytes, or the whole row, side by side and leave a thread at most
// kMaxHoistedWaves accesses, the one with the least cost; a warp with a remainder where that costs less.
int choose_lanes(int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies) {
  constexpr double kFindRow = 64;
  const auto cost = [&](int lanes) {
    const int threads = lanes * std::max(1, kMaxBlockThreads / lanes);
    return row_cost(lanes, threads, kFindRow, vectors, vectors_per_run, vector_bytes, copies);
  };
  int best = 0;
  double best_cost = 0;
  for (int lanes = 1; lanes <= kMaxBlockThreads && lanes <= vectors; ++lanes) {
    if (vectors % lanes != 0 || !fills_line(lanes, vectors, vector_bytes) || vectors / lanes > kMaxHoistedWaves)
      continue;
    if (const double c = cost(lanes); best == 0 || c < best_cost) best = lanes, best_cost = c;
  }
  return best == 0 || (vectors > kWarp && cost(kWarp) < best_cost) ? kWarp : best;
}

int choose_run_lanes(int64_t vectors, int64_t vectors_per_run, int64_t vector_bytes, int copies) {
  constexpr double kStep = 12;  // from rows to rows of a run
  int best = kWarp;
  double best_cost = row_cost(kWarp, kWarp, kStep, vectors, vectors_per_run, vector_bytes, copies);
  for (int lanes = 1; lanes < kWarp; lanes *= 2) {
    if (!fills_line(lanes, vectors, vector_bytes) || vectors / lanes > kMaxHoistedWaves) continue;
    const double cost = row_cost(lanes, kWarp, kStep, vectors, vectors_per_run, vector_bytes, copies);
    if (cost < best_cost) best = lanes, best_cost = cost;
  }
  return best;
}

const TransposePlan* RowPlan::transpose_of(size_t loop) const {
  for (const TransposePlan& plan : transposes) {
    if (plan.loop == loop) return &plan;
  }
  return nullptr;
}

// Whether a copy's rows are contiguous in the source, while it is neighbouring rows that are in the target.
bool crosses(const tile::Program& program, const tile::Node& node) {
  if (node.op != tile::Op::kCopy) return false;
  const tile::View &target = program.views()[node.view], &source = program.views()[node.source];
  const int64_t element = target.element_bytes;
  const tile::Dimension& line = target.dims[target.dims.size() - 3];
  return source.dims.back().stride.exact == element && target.dims.back().stride.exact != element &&
         target.dims[target.dims.size() - 2].extent.exact == int64_t{1} && line.stride.exact == element &&
         line.extent.exact != int64_t{1};
}

// Reads are as wide as the source's base and row stride allow; under predicates they divide the row as well.
TransposePlan plan_transpose(const tile::Program& program, const tile::Node& node, size_t loop, Lowering lowering) {
  const tile::View& source = program.views()[node.source];
  TransposePlan plan;
  plan.node = node;
  plan.loop = loop;
  plan.element = source.element_bytes;
  plan.group = node.op == tile::Op::kTranspose ? static_cast<int>(node.immediate) : 1;
  const tile::Dimension& dim = source.dims.back();
  plan.row_bytes = *dim.extent.exact * source.element_bytes;
  const bool run = dim.stride.exact == int64_t{plan.element} || *dim.extent.exact == 1;
  int64_t divisor = std::gcd(int64_t{16}, source.base_align);
  for (size_t d = 0; d + 2 < source.dims.size(); ++d) {
    const tile::Stride& stride = source.dims[d].stride;
    divisor = std::gcd(divisor, stride.exact ? *stride.exact : stride.divisor);
  }
  if (lowering != Lowering::kTail) divisor = std::gcd(divisor, plan.row_bytes);
  plan.vector = run ? static_cast<int>(divisor) : plan.element;
  return plan;
}

// A warp a block. Enough rows per block that finding their segments does not count: 16 KiB, a handful of round trips to
// memory with kMaxInFlight vectors each.
void plan_runs(const tile::Program& program, const CopyPlan& widest, int copies, RowPlan& rows) {
  constexpr int64_t kBlockBytes = 32768;
  const auto is_rows = [](const tile::Node& node) { return node.op == tile::Op::kRows; };
  const std::vector<tile::Node>& body = program.body();
  if (rows.lowering != Lowering::kTail || std::count_if(body.begin(), body.end(), is_rows) != 1) return;
  std::optional<RowRuns> runs = row_runs(program, *std::find_if(body.begin(), body.end(), is_rows));
  if (!runs) return;
  const Stream& vectors = widest.streams[0];
  ThreadMap& threads = rows.threads;
  threads.lanes = choose_run_lanes(vectors.count, widest.shape.vectors_per_run, vectors.width, copies);
  threads.rows_per_block = kWarp / threads.lanes;
  int64_t waves = 0, row_bytes = 0;
  for (const Stream& s : widest.streams) {
    waves += ceil_div(s.count, threads.lanes);
    row_bytes += s.count * s.width;
  }
  rows.runs = RunPlan{std::move(runs->advances), 1};
  int& rows_at_once = rows.runs->rows_at_once;
  while (rows_at_once * 2 * waves * copies <= kMaxInFlight && rows_at_once * 2 * threads.rows_per_block <= runs->page) {
    rows_at_once *= 2;
  }
  threads.least_rows =
      std::max<int64_t>(threads.rows_per_block, ceil_div(kBlockBytes, std::max<int64_t>(1, row_bytes)));
  threads.why = fmt::format(
      "a warp moves runs of rows, {} at once{}: {} full waves of {} lanes and one of {}", threads.rows_per_block,
      rows_at_once == 1 ? std::string() : fmt::format(" and {} times that between loads and stores", rows_at_once),
      vectors.count / threads.lanes, threads.lanes, vectors.count % threads.lanes);
}

Expected<RowPlan> plan_rows(const tile::Program& program, Lowering lowering) {
  RowPlan result;
  result.lowering = lowering;
  size_t most_copies = 0;  // per row of one loop
  for (size_t loop = 0; loop < program.body().size(); ++loop) {
    Status status;
    size_t copies = 0;
    tile::for_each_node(program.body()[loop].body, [&](const tile::Node& node) {
      if (node.op == tile::Op::kTranspose || crosses(program, node)) {
        result.transposes.push_back(plan_transpose(program, node, loop, lowering));
        return;
      }
      if (!status.ok() || !tile::is_mover(node.op)) return;
      Expected<CopyPlan> copy = plan(program, node, loop, lowering);
      status = copy.status();
      if (!status.ok()) return;
      result.copies.push_back(std::move(*copy));
      copies += node.op != tile::Op::kFill;
    });
    TAILOR_RETURN_IF_ERROR(status);
    most_copies = std::max(most_copies, copies);
  }
  if (!result.transposes.empty()) {
    if (!result.copies.empty()) return unsupported("a kernel that transposes some rows and copies others");
    result.threads = {
        kMaxBlockThreads / TransposePlan::kTileRows, TransposePlan::kTileRows,
        fmt::format("tiles of {} rows and {} bytes", TransposePlan::kTileRows, TransposePlan::kTileBytes)};
    return result;
  }
  if (most_copies == 0) return invalid_argument("the tile program moves no row");
  const auto widest =
      std::max_element(result.copies.begin(), result.copies.end(),
                       [](const CopyPlan& a, const CopyPlan& b) { return a.streams[0].count < b.streams[0].count; });
  const Stream& body = widest->streams[0];
  ThreadMap& threads = result.threads;
  switch (lowering) {
    case Lowering::kTail:
      threads.lanes =
          choose_lanes(body.count, widest->shape.vectors_per_run, body.width, static_cast<int>(most_copies));
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
  plan_runs(program, *widest, static_cast<int>(most_copies), result);
  return result;
}

}  // namespace tailor::codegen::movement
