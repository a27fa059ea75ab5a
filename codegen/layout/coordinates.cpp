#include "codegen/layout/coordinates.h"

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;

Status wrong_profile(const Mode& mode, const Coordinate& coordinate) {
  return invalid_argument(fmt::format("the coordinate has {} entries where the layout has {} modes",
                                      coordinate.items.size(), mode.group ? mode.modes.size() : 0));
}

// What lies at one entry of the coordinate: free modes, fixed modes, and the sum of the fixed ones' values.
struct Cut {
  std::vector<Mode> free;
  std::vector<Mode> fixed;
  Checked offset = 0;
};

Status cut(const Mode& mode, const Coordinate& coordinate, Cut& result) {
  if (coordinate.free) {
    result.free.push_back(mode);
    return {};
  }
  if (!coordinate.group) {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout part, StridedLayout::create(mode));
    TAILOR_ASSIGN_OR_RETURN(int64_t value, part.evaluate(coordinate.value));
    result.fixed.push_back(mode);
    result.offset += value;
    return {};
  }
  if (!mode.group || mode.modes.size() != coordinate.items.size()) return wrong_profile(mode, coordinate);
  for (size_t k = 0; k < mode.modes.size(); ++k) {
    TAILOR_RETURN_IF_ERROR(cut(mode.modes[k], coordinate.items[k], result));
  }
  return {};
}

// A coordinate that is a tuple lists its modes; one that is a lone entry stands for the whole layout.
Expected<StridedLayout> gathered(std::vector<Mode> modes, const Coordinate& coordinate) {
  if (!coordinate.group && modes.size() == 1) return StridedLayout::create(std::move(modes.front()));
  return StridedLayout::create(Mode::of(std::move(modes)));
}

Expected<int64_t> moved(const ComposedLayout& layout, Checked by) {
  const Checked offset = Checked(layout.offset()) + by;
  if (!offset.ok()) return integer::overflow_error("the offset at the coordinate");
  return offset.value();
}

void reverse(Mode& mode, Checked& offset) {
  for (Mode& child : mode.modes) reverse(child, offset);
  if (mode.group) return;
  offset += Checked(mode.extent - 1) * mode.stride;
  mode.stride = -mode.stride;
}

}  // namespace

Expected<Coordinate> parse_coordinate(std::string_view text) {
  NotationReader reader(text);
  TAILOR_ASSIGN_OR_RETURN(Coordinate coordinate, reader.tuple(true));
  TAILOR_RETURN_IF_ERROR(reader.expect_end());
  return coordinate;
}

Expected<int64_t> evaluate_at(const ComposedLayout& layout, const Coordinate& coordinate) {
  Cut parts;
  TAILOR_RETURN_IF_ERROR(cut(layout.layout().root(), coordinate, parts));
  if (!parts.free.empty()) return invalid_argument("the coordinate has a free entry; a value needs all of them fixed");
  TAILOR_ASSIGN_OR_RETURN(int64_t offset, moved(layout, parts.offset));
  TAILOR_ASSIGN_OR_RETURN(ComposedLayout point, ComposedLayout::create(layout.factor(), offset, StridedLayout()));
  return point.evaluate(0);
}

Expected<ComposedLayout> slice(const ComposedLayout& layout, const Coordinate& coordinate) {
  Cut parts;
  TAILOR_RETURN_IF_ERROR(cut(layout.layout().root(), coordinate, parts));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout rest, gathered(std::move(parts.free), coordinate));
  TAILOR_ASSIGN_OR_RETURN(int64_t offset, moved(layout, parts.offset));
  return ComposedLayout::create(layout.factor(), offset, std::move(rest));
}

Expected<StridedLayout> dice(const StridedLayout& layout, const Coordinate& coordinate) {
  Cut parts;
  TAILOR_RETURN_IF_ERROR(cut(layout.root(), coordinate, parts));
  return gathered(std::move(parts.fixed), coordinate);
}

Expected<ComposedLayout> dice(const ComposedLayout& layout, const Coordinate& coordinate) {
  TAILOR_ASSIGN_OR_RETURN(StridedLayout fixed, dice(layout.layout(), coordinate));
  return ComposedLayout::create(layout.factor(), layout.offset(), std::move(fixed));
}

Expected<ComposedLayout> domain_offset(const ComposedLayout& layout, const Coordinate& coordinate) {
  Cut parts;
  TAILOR_RETURN_IF_ERROR(cut(layout.layout().root(), coordinate, parts));
  if (!parts.free.empty())
    return invalid_argument("the coordinate has a free entry; an offset needs all of them fixed");
  TAILOR_ASSIGN_OR_RETURN(int64_t offset, moved(layout, parts.offset));
  return ComposedLayout::create(layout.factor(), offset, layout.layout());
}

Expected<ComposedLayout> flip(const ComposedLayout& layout, size_t mode) {
  Mode root = layout.layout().root();
  if (mode >= layout.layout().rank()) {
    return invalid_argument(
        fmt::format("flip of mode {} of {}; it has {} modes", mode, layout.to_string(), layout.layout().rank()));
  }
  Checked by = 0;
  if (layout.size() != 0) reverse(root.group ? root.modes[mode] : root, by);
  TAILOR_ASSIGN_OR_RETURN(int64_t offset, moved(layout, by));
  TAILOR_ASSIGN_OR_RETURN(StridedLayout reversed, StridedLayout::create(std::move(root)));
  return ComposedLayout::create(layout.factor(), offset, std::move(reversed));
}

}  // namespace tailor::codegen::layout
