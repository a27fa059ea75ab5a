#include "codegen/movement/streams.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace tailor::codegen::movement {
namespace {

constexpr int64_t kVectorLimit = (int64_t{1} << 31) - 1;

int64_t unit_of(const tile::View& source, const tile::View& target) {
  return std::max(source.element_bytes, target.element_bytes);
}

Expected<layout::CopyShape> shape_of(const tile::View& source, const tile::View& target, int64_t max_vector_bytes) {
  layout::CopySpace space;
  const char* names[] = {"h", "d"};
  for (size_t i = 0; i < 2; ++i)
    space.dims.push_back({names[i], *source.dims[source.dims.size() - 2 + i].extent.exact});
  const int64_t unit = unit_of(source, target);
  return layout::plan_copy(space, side_of(source, unit), side_of(target, unit), unit, {}, max_vector_bytes);
}

// Few runs that no number of lanes divides are streams of their own: a lane's places in one differ by constants, while
// an index that goes across them is decoded in every wave.
bool runs_apart(const layout::CopyShape& shape, const std::vector<Digit>& runs) {
  constexpr int64_t kWarp = 32, kMostWaves = 16;
  const int64_t waves = (shape.vectors_per_run + kWarp - 1) / kWarp;
  return runs.size() == 1 && shape.vectors_per_run > kWarp && shape.vectors_per_run % kWarp != 0 &&
         shape.vectors_per_run % 2 == 1 && runs[0].radix * waves <= kMostWaves;
}

}  // namespace

tile::Stride times(tile::Stride stride, int64_t factor) {
  if (factor == 0) return tile::Stride::constant(0);
  if (stride.exact) return tile::Stride::constant(*stride.exact * factor);
  stride.factor *= factor;
  return stride;
}

layout::Stride in_elements(const tile::Stride& stride, int64_t element) {
  if (stride.exact) return layout::Stride::constant(*stride.exact / element);
  return layout::Stride::symbolic(stride.symbol, std::max<int64_t>(1, stride.divisor / element));
}

tile::Stride in_bytes(const layout::Stride& stride, int64_t element) {
  if (stride.is_constant()) return tile::Stride::constant(stride.value * element);
  return tile::Stride::of(stride.symbol, stride.divisor * element);
}

layout::CopySide side_of(const tile::View& view, int64_t unit) {
  layout::CopySide side;
  side.operand = view.name;
  side.base = {view.base_align * (unit / view.element_bytes), 0};
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

Status complete(Stream& s, int64_t per_run, const std::vector<Digit>& runs, Lowering lowering) {
  s.count = s.padded_count = 1;
  if (per_run > 1) {
    s.digits.push_back({"vector", per_run, per_run, tile::Stride::constant(s.source_width()),
                        tile::Stride::constant(s.target_width()), tile::Stride::constant(s.table_width())});
  }
  s.digits.insert(s.digits.end(), runs.begin(), runs.end());
  for (Digit& d : s.digits) {
    if (lowering == Lowering::kPow2Mask) d.padded = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(d.radix)));
    s.count *= d.radix;
    if (s.padded_count <= kVectorLimit) s.padded_count *= d.padded;
  }
  if (s.padded_count <= kVectorLimit) return {};
  return unsupported(
      fmt::format("a row takes {} vectors; {} handles rows of less than 2^31", s.padded_count, to_string(lowering)));
}

Expected<RowStreams> copy_streams(const tile::View& source, const tile::View& target, Lowering lowering) {
  RowStreams result;
  layout::CopyShape& shape = result.shape;
  TAILOR_ASSIGN_OR_RETURN(shape, shape_of(source, target, 16));
  if (lowering == Lowering::kPow2Mask && !shape.tail.empty()) {
    // Masks cover whole vectors: the width that divides the run is that of its last tail piece.
    TAILOR_ASSIGN_OR_RETURN(shape, shape_of(source, target, shape.tail.back().width));
  }
  if (shape.src_start != 0 || shape.dst_start != 0) {
    return unsupported(fmt::format("{} <- {} runs backwards on both sides; a row is lowered from its element 0 on",
                                   target.name, source.name));
  }
  Status status;
  std::vector<Digit> runs;
  for (auto d = shape.run_dims.rbegin(); d != shape.run_dims.rend(); ++d) {
    runs.push_back({d->name, d->extent, d->extent, in_bytes(d->src_stride, source.element_bytes),
                    in_bytes(d->dst_stride, target.element_bytes)});
  }
  const auto add = [&](int64_t width, int64_t offset, int64_t per_run, bool is_body,
                       const std::vector<Digit>& of_runs) -> Stream* {
    Stream s;
    s.width = width, s.offset = offset, s.is_body = is_body;
    s.source_ratio = unit_of(source, target) / source.element_bytes;
    s.target_ratio = unit_of(source, target) / target.element_bytes;
    status = complete(s, per_run, of_runs, lowering);
    result.streams.push_back(std::move(s));
    return &result.streams.back();
  };
  if (lowering == Lowering::kTail && runs_apart(shape, runs)) {
    for (int64_t h = 0; h < runs[0].radix; ++h) {
      Stream* s = add(shape.vector_bytes, 0, shape.vectors_per_run, true, {});
      s->source_start = times(runs[0].source, h);
      s->target_start = times(runs[0].target, h);
      TAILOR_RETURN_IF_ERROR(status);
    }
  } else {
    add(shape.vector_bytes, 0, shape.vectors_per_run, true, runs);
    TAILOR_RETURN_IF_ERROR(status);
  }
  for (const layout::TailPiece& piece : shape.tail) {
    add(piece.width, piece.offset, 1, false, runs);
    TAILOR_RETURN_IF_ERROR(status);
  }
  return result;
}

}  // namespace tailor::codegen::movement
