// The segment of a row: a binary search once per thread, at its first row, and from there one segment at a time.
//
// Whatever the offsets hold, the segment lies in [0, segments); begin and end are its two neighbours as loaded, to be
// compared by the program before they are used.
//
// Ownership: refers to its operands. Thread-safety: none. Errors: none.
#pragma once

#include <utility>
#include <vector>

#include "codegen/movement/code.h"
#include "codegen/movement/operands.h"
#include "codegen/tile/tile.h"

namespace tailor::codegen::movement {

struct Segment {
  Value index, begin, end;
  std::vector<Value> entries;  // of the segment, what `with` loads
};

class SegmentSearch {
 public:
  // `with`: loads by the index of the segment alone, made when it is found.
  SegmentSearch(const Operands& operands, const tile::Node& search, std::vector<const tile::Node*> with = {})
      : operands_(operands), search_(search), with_(std::move(with)) {}

  Value segments(Code& code) const;
  // segments > 0
  Segment find(Code& code, Value row) const;
  Segment advance(Code& code, Value row, const Segment& from) const;

 private:
  Value load(Code& code, Value at, const char* what) const { return operands_.load(code, search_.view, {at}, what); }

  std::vector<Value> entries(Code& code, Value segment) const;

  const Operands& operands_;
  const tile::Node& search_;
  std::vector<const tile::Node*> with_;
};

}  // namespace tailor::codegen::movement
