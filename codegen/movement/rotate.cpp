#include "codegen/movement/rotate.h"

#include <algorithm>
#include <functional>

#include "codegen/movement/convert.h"

namespace tailor::codegen::movement {
namespace {

constexpr int64_t kVectorBytes = 16;

const tile::Stride& dim_stride(const tile::View& view) { return view.dims.back().stride; }

bool is_dense(const tile::View& view) { return dim_stride(view).exact == int64_t{view.element_bytes}; }

// Whether every head of every row starts at a multiple of `bytes`.
bool heads_aligned(const tile::View& view, int64_t bytes) {
  if (view.base_align % bytes != 0) return false;
  return std::all_of(view.dims.begin(), view.dims.end() - 1, [&](const tile::Dimension& d) {
    if (d.extent.exact == int64_t{1}) return true;
    return d.stride.exact ? *d.stride.exact % bytes == 0
                          : d.stride.divisor % bytes == 0 || d.stride.factor % bytes == 0;
  });
}

// The pairs of one node.
struct Pairs {
  int64_t heads, half;
  RopeStyle style;
  bool together;
  int64_t item, unit;  // bytes of what an access has of one pair; the larger of that and an entry of a table
};

// Heads are outer dimensions, so that no run crosses from one into the next.
layout::CopySide pairs_side(const tile::View& view, const Pairs& p) {
  layout::CopySide side;
  side.operand = view.name;
  side.base = {view.base_align * (p.unit / p.item), 0};
  for (size_t i = 0; i + 1 < view.dims.size(); ++i) {
    const auto& exact = view.dims[i].extent.exact;
    side.outer.push_back({view.dims[i].extent.symbol, in_elements(view.dims[i].stride, p.item),
                          exact ? *exact : layout::OuterDim::kUnknownExtent});
  }
  const tile::Stride& dim = dim_stride(view);
  if (p.together) {
    side.within = {layout::Stride::constant(1)};
  } else if (p.style == RopeStyle::kInterleaved) {
    side.within = {in_elements(times(dim, 2), p.item)};
  } else {
    side.within = {in_elements(dim, p.item)};
    side.outer.push_back({"half", in_elements(times(dim, p.half), p.item), 2});
  }
  return side;
}

layout::CopySide table_side(const tile::View& table) {
  const layout::Stride rows = in_elements(table.dims[0].stride, table.element_bytes);
  return {table.name,
          {table.base_align, 0},
          {{"position", rows, layout::OuterDim::kUnknownExtent}},
          {layout::Stride::constant(1)}};
}

using PlanWidth = std::function<Expected<layout::CopyShape>(int64_t max_vector_bytes)>;

// Masks cover whole vectors (see copy_streams).
Expected<layout::CopyShape> shape_within(const PlanWidth& plan, int64_t width, Lowering lowering) {
  TAILOR_ASSIGN_OR_RETURN(layout::CopyShape shape, plan(width));
  if (lowering != Lowering::kPow2Mask || shape.tail.empty()) return shape;
  return plan(shape.tail.back().width);
}

// A stream of each width of `shape`, otherwise as `pattern`.
Status add_streams(const Stream& pattern, const layout::CopyShape& shape, const std::vector<Digit>& runs,
                   Lowering lowering, std::vector<Stream>& streams) {
  const auto add = [&](int64_t width, int64_t offset, int64_t per_run, bool is_body) {
    Stream s = pattern;
    s.width = width, s.offset = offset, s.is_body = is_body;
    const Status status = complete(s, per_run, runs, lowering);
    streams.push_back(std::move(s));
    return status;
  };
  TAILOR_RETURN_IF_ERROR(add(shape.vector_bytes, 0, shape.vectors_per_run, true));
  for (const layout::TailPiece& piece : shape.tail) {
    TAILOR_RETURN_IF_ERROR(add(piece.width, piece.offset, 1, false));
  }
  return {};
}

// The elements from R on.
Status add_rest(const tile::View& source, const tile::View& target, const Pairs& p, Lowering lowering,
                std::vector<Stream>& streams) {
  const int64_t element = source.element_bytes, first = 2 * p.half, rest = *source.dims.back().extent.exact - first;
  if (rest == 0) return {};
  const layout::CopySpace space{{{"h", p.heads}, {"d", rest}}};
  const auto side = [&](const tile::View& view) {
    layout::CopySide s = side_of(view, element);
    s.base = is_dense(view) ? layout::BaseAlignment{view.base_align, first * element % view.base_align}
                            : layout::BaseAlignment{element, 0};
    return s;
  };
  const auto plan = [&](int64_t width) {
    return layout::plan_copy(space, side(source), side(target), element, {}, width);
  };
  TAILOR_ASSIGN_OR_RETURN(const layout::CopyShape shape, shape_within(plan, kVectorBytes, lowering));
  std::vector<Digit> runs;
  for (auto d = shape.run_dims.rbegin(); d != shape.run_dims.rend(); ++d) {
    runs.push_back({d->name, d->extent, d->extent, in_bytes(d->src_stride, element), in_bytes(d->dst_stride, element)});
  }
  Stream pattern;
  pattern.source_start = times(dim_stride(source), first);
  pattern.target_start = times(dim_stride(target), first);
  return add_streams(pattern, shape, runs, lowering, streams);
}

}  // namespace

Expected<RowStreams> rotate_streams(const tile::Program& program, const tile::Node& rotate, Lowering lowering) {
  const tile::View &source = program.views()[rotate.source], &target = program.views()[rotate.view];
  const tile::View &cos = program.views()[rotate.tables[0]], &sin = program.views()[rotate.tables[1]];
  const int64_t element = source.element_bytes, entry = cos.element_bytes;
  Pairs p{*source.dims[source.dims.size() - 2].extent.exact, *cos.dims[1].extent.exact, rotate.style, false, 0, 0};
  p.together = p.style == RopeStyle::kInterleaved && is_dense(source) && is_dense(target) &&
               heads_aligned(source, 2 * element) && heads_aligned(target, 2 * element);
  p.item = p.together ? 2 * element : element;
  p.unit = std::max(p.item, entry);

  const layout::CopySpace space{{{"d", p.half}}};
  TAILOR_ASSIGN_OR_RETURN(const layout::CopyShape tables,
                          layout::plan_copy(space, table_side(cos), table_side(sin), entry, {}, kVectorBytes));
  const int64_t widest = std::min(kVectorBytes, tables.vector_bytes / entry * p.unit);
  const auto plan = [&](int64_t width) {
    return layout::plan_copy(space, pairs_side(source, p), pairs_side(target, p), p.unit, {}, width);
  };
  RowStreams result;
  TAILOR_ASSIGN_OR_RETURN(result.shape, shape_within(plan, widest, lowering));

  // Between one pair and the next, and between the two elements of one.
  const int64_t step = p.style == RopeStyle::kInterleaved ? 2 : 1;
  const int64_t apart = p.style == RopeStyle::kInterleaved ? 1 : p.half;
  std::vector<Digit> runs;
  if (!result.shape.run_dims.empty()) {
    runs.push_back({"d", p.half, p.half, times(dim_stride(source), step), times(dim_stride(target), step),
                    tile::Stride::constant(entry)});
  }
  if (p.heads > 1) {
    const size_t h = source.dims.size() - 2;
    runs.push_back({"h", p.heads, p.heads, source.dims[h].stride, target.dims[target.dims.size() - 2].stride});
  }
  Stream pattern;
  pattern.rotates = true;
  pattern.together = p.together;
  pattern.source_ratio = pattern.target_ratio = p.unit / p.item;
  pattern.table_ratio = p.unit / entry;
  pattern.source_apart = times(dim_stride(source), apart);
  pattern.target_apart = times(dim_stride(target), apart);
  TAILOR_RETURN_IF_ERROR(add_streams(pattern, result.shape, runs, lowering, result.streams));
  TAILOR_RETURN_IF_ERROR(add_rest(source, target, p, lowering, result.streams));
  return result;
}

std::vector<kernel::Value> rotate(kernel::Builder& b, kernel::Value x1, kernel::Value x2, kernel::Value cos,
                                  kernel::Value sin, RotateTypes types) {
  using kernel::Op;
  using Values = std::vector<kernel::Value>;
  const bool together = x2.id == kernel::kNoValue;
  const Values first = decode_elements(b, x1, types.element);
  const Values second = together ? Values{} : decode_elements(b, x2, types.element);
  const Values c = decode_elements(b, cos, types.table), s = decode_elements(b, sin, types.table);
  Values y, y1, y2;
  for (size_t i = 0; i < c.size(); ++i) {
    const kernel::Value u = together ? first[2 * i] : first[i], v = together ? first[2 * i + 1] : second[i];
    y1.push_back(b.binary(Op::kFSub, b.binary(Op::kFMul, u, c[i]), b.binary(Op::kFMul, v, s[i])));
    y2.push_back(b.binary(Op::kFAdd, b.binary(Op::kFMul, v, c[i]), b.binary(Op::kFMul, u, s[i])));
    y.insert(y.end(), {y1.back(), y2.back()});
  }
  if (together) return {encode_elements(b, y, types.element)};
  return {encode_elements(b, y1, types.element), encode_elements(b, y2, types.element)};
}

}  // namespace tailor::codegen::movement
