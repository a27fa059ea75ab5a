#include "codegen/layout/cute_notation.h"

#include <cctype>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/notation_reader.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;

constexpr int kMaxDepth = 64;

// Compact strides, first mode fastest; `next` runs along.
Mode compact(const Tuple& shape, Checked& next) {
  if (!shape.group) {
    Mode mode = Mode::leaf(shape.value, shape.value == 1 ? 0 : next.value());
    next *= shape.value;
    return mode;
  }
  std::vector<Mode> modes;
  for (const Tuple& item : shape.items) modes.push_back(compact(item, next));
  return Mode::of(std::move(modes));
}

Expected<Mode> zip(const Tuple& shape, const Tuple& stride) {
  if (shape.group != stride.group || shape.items.size() != stride.items.size()) {
    return invalid_argument("layout notation: shape and stride must have the same hierarchy");
  }
  if (!shape.group) return Mode::leaf(shape.value, stride.value);
  std::vector<Mode> modes;
  for (size_t i = 0; i < shape.items.size(); ++i) {
    TAILOR_ASSIGN_OR_RETURN(Mode mode, zip(shape.items[i], stride.items[i]));
    modes.push_back(std::move(mode));
  }
  return Mode::of(std::move(modes));
}

}  // namespace

void NotationReader::skip_space() {
  while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0) ++position_;
}

bool NotationReader::accept(char c) {
  skip_space();
  if (position_ == text_.size() || text_[position_] != c) return false;
  ++position_;
  return true;
}

bool NotationReader::accept(std::string_view word) {
  skip_space();
  if (text_.substr(position_, word.size()) != word) return false;
  position_ += word.size();
  return true;
}

bool NotationReader::at_integer() {
  skip_space();
  return position_ != text_.size() && (std::isdigit(static_cast<unsigned char>(text_[position_])) != 0 ||
                                       text_[position_] == '-' || text_[position_] == '_');
}

Status NotationReader::error(std::string_view expected) {
  skip_space();
  std::string found = position_ == text_.size() ? "the end" : fmt::format("'{}'", text_.substr(position_, 1));
  return invalid_argument(
      fmt::format("layout notation, position {}: expected {}, found {}", position_, expected, found));
}

Status NotationReader::expect(char c) { return accept(c) ? Status() : error(fmt::format("'{}'", c)); }

Status NotationReader::expect_end() {
  skip_space();
  return position_ == text_.size() ? Status() : error("the end");
}

Expected<int64_t> NotationReader::integer() {
  accept('_');
  bool negative = accept('-');
  skip_space();
  if (position_ == text_.size() || std::isdigit(static_cast<unsigned char>(text_[position_])) == 0) {
    return error("an integer or '('");
  }
  Checked value = 0;
  while (position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_])) != 0) {
    Checked digit = text_[position_++] - '0';
    value = negative ? value * 10 - digit : value * 10 + digit;
  }
  if (!value.ok()) return error("an integer of 64 bits before this point");
  return value.value();
}

Expected<Tuple> NotationReader::tuple_at(int depth, bool coordinate) {
  if (depth > kMaxDepth) return error("at most 64 nested parentheses");
  Tuple result;
  if (!accept('(')) {
    skip_space();
    const bool digit_follows =
        position_ + 1 < text_.size() &&
        (std::isdigit(static_cast<unsigned char>(text_[position_ + 1])) != 0 || text_[position_ + 1] == '-');
    if (coordinate && !digit_follows && accept('_')) {
      result.free = true;
      return result;
    }
    TAILOR_ASSIGN_OR_RETURN(result.value, integer());
    return result;
  }
  result.group = true;
  if (accept(')')) return result;
  do {
    TAILOR_ASSIGN_OR_RETURN(Tuple item, tuple_at(depth + 1, coordinate));
    result.items.push_back(std::move(item));
  } while (accept(','));
  if (!accept(')')) return error("',' or ')'");
  return result;
}

Expected<StridedLayout> NotationReader::layout() {
  TAILOR_ASSIGN_OR_RETURN(Tuple shape, tuple());
  return layout_of(shape);
}

Expected<StridedLayout> NotationReader::layout_of(const Tuple& shape) {
  if (!accept(':')) {
    Checked next = 1;
    Mode root = compact(shape, next);
    if (!next.ok()) return integer::overflow_error("the size of the layout");
    return StridedLayout::create(std::move(root));
  }
  TAILOR_ASSIGN_OR_RETURN(Tuple stride, tuple());
  TAILOR_ASSIGN_OR_RETURN(Mode root, zip(shape, stride));
  return StridedLayout::create(std::move(root));
}

Expected<StridedLayout> parse_cute(std::string_view text) {
  NotationReader reader(text);
  TAILOR_ASSIGN_OR_RETURN(StridedLayout layout, reader.layout());
  TAILOR_RETURN_IF_ERROR(reader.expect_end());
  return layout;
}

Expected<std::vector<StridedLayout>> parse_cute_tilers(std::string_view text) {
  NotationReader reader(text);
  if (!reader.accept('<')) return reader.error("'<'");
  std::vector<StridedLayout> tilers;
  do {
    TAILOR_ASSIGN_OR_RETURN(StridedLayout tiler, reader.layout());
    tilers.push_back(std::move(tiler));
  } while (reader.accept(','));
  if (!reader.accept('>')) return reader.error("',' or '>'");
  TAILOR_RETURN_IF_ERROR(reader.expect_end());
  return tilers;
}

}  // namespace tailor::codegen::layout
