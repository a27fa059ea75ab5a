#include "codegen/movement/copy_rows.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace tailor::codegen::movement {

using kernel::Compare;
using kernel::kNoValue;

// Digits of value + constant, fastest first. Where the radix and the bound of the lane part divide one another no carry
// crosses between lane part and constant, and only the lane part is divided:
//   bound | radix, bound | constant:   digit = value + constant mod radix,  the rest is constant / radix
//   radix | bound, radix | constant:   digit = value mod radix,             the rest is (value + constant) / radix
// Otherwise both are added and divided together. The last digit takes what remains.
std::vector<CopyRows::Sum> CopyRows::decode(Code& code, const Stream& stream, Position at) const {
  std::vector<Sum> digits;
  for (size_t k = 0; k < stream.digits.size(); ++k) {
    const int64_t radix = stream.digits[k].padded;
    if (k + 1 == stream.digits.size()) {
      digits.push_back({at.value, at.constant});
      break;
    }
    if (at.value.id == kNoValue) {
      digits.push_back({{}, at.constant % radix});
      at.constant /= radix;
    } else if (radix % at.bound == 0 && at.constant % at.bound == 0) {
      digits.push_back({at.value, at.constant % radix});
      at = {{}, 1, at.constant / radix};
    } else {
      if (at.bound % radix != 0 || at.constant % radix != 0) {
        at = {code.add_constant(at.value, at.constant), at.bound + at.constant, 0};
      }
      digits.push_back({code.modulo(at.value, radix, at.bound - 1), 0});
      at = {code.divide(at.value, radix, at.bound - 1), (at.bound + radix - 1) / radix, at.constant / radix};
    }
  }
  return digits;
}

CopyRows::Sum CopyRows::offset(Code& code, const Stream& stream, const std::vector<Sum>& digits, bool source) const {
  Sum sum{{}, stream.offset};
  const auto add = [&](Value term) { sum.value = sum.value.id == kNoValue ? term : code.add(sum.value, term); };
  for (size_t k = 0; k < digits.size(); ++k) {
    const tile::Stride& stride = source ? stream.digits[k].source : stream.digits[k].target;
    const Sum& digit = digits[k];
    if (stride.exact) {
      if (digit.value.id != kNoValue && *stride.exact != 0) add(code.times(code.to_index(digit.value), *stride.exact));
      sum.constant += digit.constant * *stride.exact;
    } else {
      const Value step = parameters_.at(stride.symbol);
      if (digit.value.id != kNoValue) add(code.mul(code.to_index(digit.value), step));
      if (digit.constant != 0) add(code.times(step, digit.constant));
    }
  }
  return sum;
}

Value CopyRows::guard(Code& code, const Stream& stream, const Position& at, const std::vector<Sum>& digits) const {
  const auto below = [&](const Sum& x, int64_t limit) {
    const Value v = x.value.id == kNoValue ? code.i32(x.constant) : code.add_constant(x.value, x.constant);
    return code.compare(Compare::kUlt, v, code.i32(limit));
  };
  if (plan_.lowering == Lowering::kGuarded || stream.digits.empty()) {
    return below({at.value, at.constant}, stream.count);
  }
  Value all{};
  for (size_t k = 0; k < digits.size(); ++k) all = code.both(all, below(digits[k], stream.digits[k].radix));
  return all;
}

CopyRows::Wave CopyRows::wave(Code& code, const Stream& stream, const Position& at, std::string what,
                              bool guarded) const {
  const std::vector<Sum> digits = decode(code, stream, at);
  Wave w{stream.width, std::move(what), offset(code, stream, digits, true), offset(code, stream, digits, false), {}};
  if (guarded) w.guard = guard(code, stream, at, digits);
  return w;
}

void CopyRows::hoist(Code& code, Value lane) {
  lane_ = lane;
  const int lanes = plan_.threads.lanes;
  const bool guarded = plan_.lowering != Lowering::kTail;
  for (const CopyPlan& copy : plan_.copies) {
    Hoisted h;
    for (const Stream& stream : copy.streams) {
      const auto name = [&](int64_t i) {
        return stream.is_body ? fmt::format("vector {} B, wave {}", stream.width, i)
                              : fmt::format("tail {} B at {}, wave {}", stream.width, stream.offset, i);
      };
      const auto at = [&](int64_t i) { return Position{lanes == 1 ? Value{} : lane, lanes, i * lanes}; };
      const int64_t full = plan_.threads.full_waves(stream, plan_.lowering);
      int64_t first = 0;
      if (full > kMaxHoistedWaves) {
        first = full / kMaxInFlight * kMaxInFlight;
        h.loops.push_back({&stream, first});
      }
      for (int64_t i = first; i < full; ++i) h.waves.push_back(wave(code, stream, at(i), name(i), guarded));
      const int64_t rest = plan_.threads.remainder(stream);
      if (guarded || rest == 0) continue;
      LaneTest& test = h.remainders[rest];
      test.pred = code.compare(Compare::kUlt, lane, code.i32(rest));
      test.waves.push_back(wave(code, stream, at(full), name(full), false));
    }
    hoist_bases(code, copy, h);
    hoisted_.push_back(std::move(h));
  }
}

// One register pair per base: worth it only while there are few.
void CopyRows::hoist_bases(Code& code, const CopyPlan& copy, Hoisted& h) const {
  constexpr size_t kFewBases = 2;
  const auto hoist = [&](tile::ViewId view, Sum Wave::*side, std::map<kernel::ValueId, Value>& bases) {
    std::set<kernel::ValueId> distinct;
    for (const Wave& w : h.waves) {
      if ((w.*side).value.id != kNoValue) distinct.insert((w.*side).value.id);
    }
    if (distinct.size() > kFewBases) return;
    const Value operand = parameters_.at(program_.views()[view].name);
    for (kernel::ValueId lane_part : distinct) bases[lane_part] = code.pointer(operand, Value{lane_part});
  };
  hoist(copy.copy.source, &Wave::source, h.source_bases);
  hoist(copy.copy.view, &Wave::target, h.target_bases);
}

void CopyRows::move(Code& code, size_t first, const std::vector<RowOffsets>& offsets,
                    const std::vector<std::vector<const Wave*>>& waves) const {
  const auto address = [&](const tile::View& view, Value row, const Sum& lane,
                           const std::map<kernel::ValueId, Value>& bases) {
    const auto hoisted = bases.find(lane.value.id);
    if (hoisted != bases.end()) return code.pointer(code.pointer(hoisted->second, row), lane.constant);
    return code.pointer(code.pointer(code.pointer(parameters_.at(view.name), row), lane.value), lane.constant);
  };
  std::vector<Value> loaded;
  for (size_t c = 0; c < offsets.size(); ++c) {
    const tile::View& view = program_.views()[plan_.copies[first + c].copy.source];
    for (const Wave* w : waves[c]) {
      const Value from = address(view, offsets[c].source, w->source, hoisted_[first + c].source_bases);
      const int width = static_cast<int>(w->width);
      loaded.push_back(
          code.builder().load(kernel::bits_type(width), from, {view.name, w->what, width, true}, w->guard));
    }
  }
  size_t next = 0;
  for (size_t c = 0; c < offsets.size(); ++c) {
    const tile::View& view = program_.views()[plan_.copies[first + c].copy.view];
    for (const Wave* w : waves[c]) {
      const Value to = address(view, offsets[c].target, w->target, hoisted_[first + c].target_bases);
      const int width = static_cast<int>(w->width);
      code.builder().store(kernel::bits_type(width), to, loaded[next++], {view.name, w->what, width, false}, w->guard);
    }
  }
}

void CopyRows::emit(Code& code, size_t first, const std::vector<RowOffsets>& offsets) {
  const size_t copies = offsets.size();
  const size_t group = std::max<size_t>(1, kMaxInFlight / copies);
  const Hoisted& shape = hoisted_[first];
  for (size_t begin = 0; begin < shape.waves.size(); begin += group) {
    const size_t end = std::min(begin + group, shape.waves.size());
    std::vector<std::vector<const Wave*>> waves(copies);
    for (size_t c = 0; c < copies; ++c) {
      for (size_t i = begin; i < end; ++i) waves[c].push_back(&hoisted_[first + c].waves[i]);
    }
    move(code, first, offsets, waves);
  }
  for (size_t i = 0; i < shape.loops.size(); ++i) long_stream(code, first, offsets, i);
  for (const auto& [lanes, test] : shape.remainders) {
    code.builder().if_then(test.pred, [&] {
      Code inner = code.child();
      std::vector<std::vector<const Wave*>> waves(copies);
      for (size_t c = 0; c < copies; ++c) {
        for (const Wave& w : hoisted_[first + c].remainders.at(lanes).waves) waves[c].push_back(&w);
      }
      move(inner, first, offsets, waves);
    });
  }
}

// More waves than are worth hoisting: a loop over groups of them, decoded inside.
void CopyRows::long_stream(Code& code, size_t first, const std::vector<RowOffsets>& offsets, size_t index) const {
  const int64_t count = hoisted_[first].loops[index].waves * plan_.threads.lanes;
  const int64_t group = std::max<int64_t>(1, kMaxInFlight / static_cast<int64_t>(offsets.size()));
  kernel::Builder& b = code.builder();
  // The waves are a multiple of kMaxInFlight and so of the group; count < 2^31 + 2^11 is compared as unsigned.
  const Value end = code.i32(count), step = code.i32(group * plan_.threads.lanes);
  b.while_loop(
      {code.i32(0)},
      [&](const kernel::Builder::Values& at) {
        return std::pair{b.compare(Compare::kUlt, at[0], end), at};
      },
      [&](const kernel::Builder::Values& at) {
        Code inner = code.child();
        const Value v = inner.add(at[0], lane_);
        std::vector<std::vector<Wave>> waves(offsets.size());
        std::vector<std::vector<const Wave*>> pointers(offsets.size());
        for (size_t c = 0; c < offsets.size(); ++c) {
          const Stream& stream = *hoisted_[first + c].loops[index].stream;
          for (int64_t i = 0; i < group; ++i) {
            const Position position{v, count, i * plan_.threads.lanes};
            waves[c].push_back(wave(inner, stream, position, fmt::format("vector {} B, wave n + {}", stream.width, i),
                                    plan_.lowering != Lowering::kTail));
          }
          for (const Wave& w : waves[c]) pointers[c].push_back(&w);
        }
        move(inner, first, offsets, pointers);
        return kernel::Builder::Values{b.add(at[0], step)};
      });
}

}  // namespace tailor::codegen::movement
