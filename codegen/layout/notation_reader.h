// The reader that the notations of this folder share: integers, tuples, layouts, and errors that name position and
// expectation. Private to codegen/layout.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/layout/strided_layout.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

// Shape, stride or coordinate, before it is put to use.
struct Tuple {
  int64_t value = 0;
  std::vector<Tuple> items;
  bool group = false;
  bool free = false;  // a lone underscore, in coordinates only
};

class NotationReader {
 public:
  explicit NotationReader(std::string_view text) : text_(text) {}

  bool accept(char c);
  // The whole word or nothing.
  bool accept(std::string_view word);
  // Is an integer next?
  bool at_integer();
  // kInvalidArgument "layout notation, position 5: expected ')', found ':'".
  Status error(std::string_view expected);
  Status expect(char c);
  Status expect_end();
  Expected<int64_t> integer();
  // Integers and parentheses; with `coordinate` also lone underscores.
  Expected<Tuple> tuple(bool coordinate = false) { return tuple_at(0, coordinate); }
  // shape (':' stride)?
  Expected<StridedLayout> layout();
  // What follows a shape that has been read: (':' stride)?
  Expected<StridedLayout> layout_of(const Tuple& shape);

 private:
  void skip_space();
  Expected<Tuple> tuple_at(int depth, bool coordinate);

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace tailor::codegen::layout
