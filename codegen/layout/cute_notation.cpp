#include "codegen/layout/cute_notation.h"

#include <cctype>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;

constexpr int kMaxDepth = 64;

// Shape or stride on its own, before the two are zipped.
struct Tuple {
  int64_t value = 0;
  std::vector<Tuple> items;
  bool group = false;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool accept(char c) {
    skip_space();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  Status error(std::string_view expected) {
    skip_space();
    std::string found = position_ == text_.size() ? "the end" : fmt::format("'{}'", text_.substr(position_, 1));
    return invalid_argument(
        fmt::format("layout notation, position {}: expected {}, found {}", position_, expected, found));
  }

  Status expect_end() {
    skip_space();
    return position_ == text_.size() ? Status() : error("the end");
  }

  Expected<Tuple> tuple(int depth = 0) {
    if (depth > kMaxDepth) return error("at most 64 nested parentheses");
    Tuple result;
    if (!accept('(')) {
      TAILOR_ASSIGN_OR_RETURN(result.value, number());
      return result;
    }
    result.group = true;
    if (accept(')')) return result;
    do {
      TAILOR_ASSIGN_OR_RETURN(Tuple item, tuple(depth + 1));
      result.items.push_back(std::move(item));
    } while (accept(','));
    if (!accept(')')) return error("',' or ')'");
    return result;
  }

  Expected<StridedLayout> layout();

 private:
  void skip_space() {
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0) ++position_;
  }

  Expected<int64_t> number() {
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

  std::string_view text_;
  size_t position_ = 0;
};

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

Expected<StridedLayout> Reader::layout() {
  TAILOR_ASSIGN_OR_RETURN(Tuple shape, tuple());
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

}  // namespace

Expected<StridedLayout> parse_cute(std::string_view text) {
  Reader reader(text);
  TAILOR_ASSIGN_OR_RETURN(StridedLayout layout, reader.layout());
  TAILOR_RETURN_IF_ERROR(reader.expect_end());
  return layout;
}

Expected<std::vector<StridedLayout>> parse_cute_tilers(std::string_view text) {
  Reader reader(text);
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
