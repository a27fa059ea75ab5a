#include "codegen/movement/copy_rows.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "codegen/movement/convert.h"
#include "codegen/movement/rotate.h"

namespace tailor::codegen::movement {

namespace {
const std::map<kernel::ValueId, Value> kNoBases;
}

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

CopyRows::Sum CopyRows::moved_on(Code& code, Sum sum, const tile::Stride& by) const {
  if (by.exact) {
    sum.constant += *by.exact;
    return sum;
  }
  const Value step = code.times(parameters_.at(by.symbol), by.factor);
  sum.value = sum.value.id == kNoValue ? step : code.add(sum.value, step);
  return sum;
}

CopyRows::Sum CopyRows::offset(Code& code, const Stream& stream, const std::vector<Sum>& digits, Side side) const {
  const bool source = side == Side::kSource, table = side == Side::kTable;
  Sum sum{{}, stream.offset / (source ? stream.source_ratio : table ? stream.table_ratio : stream.target_ratio)};
  if (!table) sum = moved_on(code, sum, source ? stream.source_start : stream.target_start);
  const auto add = [&](Value term) { sum.value = sum.value.id == kNoValue ? term : code.add(sum.value, term); };
  for (size_t k = 0; k < digits.size(); ++k) {
    const Digit& place = stream.digits[k];
    const tile::Stride& stride = source ? place.source : table ? place.table : place.target;
    const Sum& digit = digits[k];
    if (stride.exact) {
      if (digit.value.id != kNoValue && *stride.exact != 0) add(code.times(code.to_index(digit.value), *stride.exact));
      sum.constant += digit.constant * *stride.exact;
    } else {
      const Value step = code.times(parameters_.at(stride.symbol), stride.factor);
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
  Wave w;
  w.stream = &stream;
  w.what = std::move(what);
  w.source = offset(code, stream, digits, Side::kSource);
  w.target = offset(code, stream, digits, Side::kTarget);
  if (stream.rotates) {
    w.table = offset(code, stream, digits, Side::kTable);
    w.second_source = moved_on(code, w.source, stream.source_apart);
    w.second_target = moved_on(code, w.target, stream.target_apart);
  }
  if (guarded) w.guard = guard(code, stream, at, digits);
  return w;
}

void CopyRows::hoist(Code& code, Value lane) {
  lane_ = lane;
  const int lanes = plan_.threads.lanes;
  const bool guarded = plan_.lowering != Lowering::kTail;
  hoisted_.resize(plan_.copies.size());
  for (size_t c = 0; c < plan_.copies.size(); ++c) {
    const CopyPlan& copy = plan_.copies[c];
    if (copy.loop != loop_) continue;
    Hoisted& h = hoisted_[c];
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
    if (copy.copy.op == tile::Op::kFill) hoist_bits(code, copy, h);
    if (copy.copy.op == tile::Op::kConvert && !copy.copy.tables.empty()) hoist_scale(code, copy, h);
  }
}

// The element's bits, 64 of them as the host repeats them, at every width that is stored.
void CopyRows::hoist_bits(Code& code, const CopyPlan& copy, Hoisted& h) const {
  kernel::Builder& b = code.builder();
  const Value bits = b.bitcast(kernel::Type::kB64, parameters_.at(copy.copy.extent.symbol));
  for (const Stream& stream : copy.streams) {
    const int64_t width = stream.target_width();
    if (width == 16) {
      h.bits[width] = b.pack({bits, bits});
    } else if (width == 8) {
      h.bits[width] = bits;
    } else {
      h.bits[width] = b.unpack(kernel::bits_type(static_cast<int>(width)), bits)[0];
    }
  }
}

void CopyRows::hoist_scale(Code& code, const CopyPlan& copy, Hoisted& h) const {
  const tile::View& view = program_.views()[copy.copy.tables[0]];
  kernel::Builder& b = code.builder();
  const Value bits = b.load(kernel::Type::kB32, parameters_.at(view.name), {view.name, "scale", 4, true});
  h.scale = b.bitcast(kernel::Type::kF32, bits);
}

CopyRows::Row CopyRows::at(Code& code, const tile::Node& node, const std::vector<Value>& scalars) const {
  const auto start = [&](tile::ViewId view, const std::vector<tile::ValueId>& indices) {
    std::vector<Value> values;
    for (tile::ValueId id : indices) values.push_back(scalars[id]);
    return operands_.offset(code, view, values);
  };
  Row row;
  row.copy = find(node);
  row.target = start(node.view, node.indices);
  if (node.source != tile::kNone) row.source = start(node.source, node.source_indices);
  for (tile::ViewId table : node.tables) row.tables.push_back(start(table, node.table_indices));
  return row;
}

// Row from + i * apart of the run that starts at `row`: every index that grows with the row has grown by as much.
void CopyRows::add_step(Code& code, Row& row, const Step& step, int i) const {
  const tile::Node& node = plan_.copies[row.copy].copy;
  const auto on = [&](tile::ViewId view, const std::vector<tile::ValueId>& indices, std::vector<Value>& offsets) {
    for (size_t d = 0; d < indices.size(); ++d) {
      if (!step.run.advances[indices[d]]) continue;
      const tile::Stride& stride = program_.views()[view].dims[d].stride;
      const Value bytes =
          stride.exact ? code.index(*stride.exact) : code.times(parameters_.at(stride.symbol), stride.factor);
      offsets.push_back(code.mul(code.to_index(step.from), bytes));
      if (i > 0) offsets.push_back(code.times(bytes, int64_t{i} * step.apart));
    }
  };
  on(node.view, node.indices, row.target_on);
  if (node.source != tile::kNone) on(node.source, node.source_indices, row.source_on);
}

void CopyRows::hoist_run(Code& code, const std::vector<tile::Node>& body, size_t at,
                         const std::vector<Value>& scalars) const {
  for (; at < body.size() && tile::is_mover(body[at].op); ++at) {
    const Row row = this->at(code, body[at], scalars);
    const Hoisted& hoisted = hoisted_[row.copy];
    for (const Wave& w : hoisted.waves) {
      const tile::Node& node = plan_.copies[row.copy].copy;
      if (hoisted.target_bases.contains(w.target.value.id)) {
        address(code, node.view, row.target, {}, {w.target.value, 0}, hoisted.target_bases);
      }
      if (hoisted.source_bases.contains(w.source.value.id)) {
        address(code, node.source, row.source, {}, {w.source.value, 0}, hoisted.source_bases);
      }
    }
  }
}

size_t CopyRows::lower(Code& code, const std::vector<tile::Node>& body, size_t at, const std::vector<Value>& scalars,
                       const Step* step) const {
  const int times = step ? step->times : 1;
  const size_t first = find(body[at]);
  std::vector<Row> rows;
  std::set<tile::ValueId> tokens;
  size_t end = at;
  for (; end < body.size() && tile::is_mover(body[end].op); ++end) {
    const tile::Node& node = body[end];
    if (node.after != tile::kNone && tokens.count(node.after)) break;
    if (!rows.empty() && rows.size() + static_cast<size_t>(times) > static_cast<size_t>(kMaxInFlight)) break;
    if (!rows.empty() && !plan_.copies[first].same_geometry(plan_.copies[find(node)])) break;
    tokens.insert(node.results.back());
    for (int i = 0; i < times; ++i) {
      rows.push_back(this->at(code, node, scalars));
      if (step) add_step(code, rows.back(), *step, i);
    }
  }
  emit(code, rows);
  return end - 1;
}

size_t CopyRows::find(const tile::Node& mover) const {
  const auto found = std::find_if(plan_.copies.begin(), plan_.copies.end(), [&](const CopyPlan& copy) {
    return copy.copy.results.back() == mover.results.back();
  });
  return static_cast<size_t>(found - plan_.copies.begin());
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
  if (copy.copy.source != tile::kNone) hoist(copy.copy.source, &Wave::source, h.source_bases);
  hoist(copy.copy.view, &Wave::target, h.target_bases);
}

Value CopyRows::address(Code& code, tile::ViewId view, Value row, const std::vector<Value>& on, const Sum& lane,
                        const std::map<kernel::ValueId, Value>& bases) const {
  const auto hoisted = bases.find(lane.value.id);
  const bool found = hoisted != bases.end();
  Value at = code.pointer(found ? hoisted->second : parameters_.at(program_.views()[view].name), row);
  for (Value offset : on) at = code.pointer(at, offset);
  return code.pointer(found ? at : code.pointer(at, lane.value), lane.constant);
}

std::vector<Value> CopyRows::load(Code& code, const Row& row, const Wave& w) const {
  const tile::Node& node = plan_.copies[row.copy].copy;
  std::vector<Value> loaded;
  const auto from = [&](tile::ViewId view, Value start, const Sum& lane, int64_t width, const std::string& what) {
    const auto bytes = static_cast<int>(width);
    const std::vector<Value> none;
    const Value at = address(code, view, start, view == node.source ? row.source_on : none, lane,
                             view == node.source ? hoisted_[row.copy].source_bases : kNoBases);
    loaded.push_back(
        code.builder().load(kernel::bits_type(bytes), at, {program_.views()[view].name, what, bytes, true}, w.guard));
  };
  if (node.source == tile::kNone) return loaded;
  const Stream& s = *w.stream;
  from(node.source, row.source, w.source, s.source_width(), w.what);
  if (!s.rotates) return loaded;
  if (!s.together) from(node.source, row.source, w.second_source, s.source_width(), w.what + ", second");
  for (size_t t = 0; t < 2; ++t) from(node.tables[t], row.tables[t], w.table, s.table_width(), w.what);
  return loaded;
}

std::vector<Value> CopyRows::moved(Code& code, size_t c, const Wave& w, const std::vector<Value>& loaded) const {
  const tile::Node& node = plan_.copies[c].copy;
  const auto type = [&](tile::ViewId view) { return *program_.views()[view].type; };
  if (node.op == tile::Op::kFill) return {hoisted_[c].bits.at(w.stream->target_width())};
  if (node.op == tile::Op::kConvert) {
    return {convert(code.builder(), loaded[0], type(node.source), type(node.view), hoisted_[c].scale)};
  }
  if (!w.stream->rotates) return loaded;
  const size_t tables = loaded.size() - 2;
  return rotate(code.builder(), loaded[0], w.stream->together ? Value{} : loaded[1], loaded[tables], loaded[tables + 1],
                {type(node.source), type(node.tables[0])});
}

void CopyRows::store(Code& code, const Row& row, const Wave& w, const std::vector<Value>& values) const {
  const tile::ViewId view = plan_.copies[row.copy].copy.view;
  const auto bytes = static_cast<int>(w.stream->target_width());
  for (size_t i = 0; i < values.size(); ++i) {
    const Value to = address(code, view, row.target, row.target_on, i == 0 ? w.target : w.second_target,
                             hoisted_[row.copy].target_bases);
    code.builder().store(kernel::bits_type(bytes), to, values[i],
                         {program_.views()[view].name, i == 0 ? w.what : w.what + ", second", bytes, false}, w.guard);
  }
}

void CopyRows::move(Code& code, const std::vector<Row>& rows,
                    const std::vector<std::vector<const Wave*>>& waves) const {
  std::vector<std::vector<Value>> loaded;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (const Wave* w : waves[r]) loaded.push_back(load(code, rows[r], *w));
  }
  size_t next = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (const Wave* w : waves[r]) store(code, rows[r], *w, moved(code, rows[r].copy, *w, loaded[next++]));
  }
}

// Waves between their loads and their stores at once.
size_t CopyRows::in_flight(const std::vector<Row>& rows) const {
  int loads = 1;
  for (const Stream& s : plan_.copies[rows[0].copy].streams) loads = std::max(loads, s.loads());
  return std::max<size_t>(1, kMaxInFlight / (rows.size() * static_cast<size_t>(loads)));
}

void CopyRows::emit(Code& code, const std::vector<Row>& rows) const {
  const size_t group = in_flight(rows);
  const Hoisted& shape = hoisted_[rows[0].copy];
  for (size_t begin = 0; begin < shape.waves.size(); begin += group) {
    const size_t end = std::min(begin + group, shape.waves.size());
    std::vector<std::vector<const Wave*>> waves(rows.size());
    for (size_t r = 0; r < rows.size(); ++r) {
      for (size_t i = begin; i < end; ++i) waves[r].push_back(&hoisted_[rows[r].copy].waves[i]);
    }
    move(code, rows, waves);
  }
  for (size_t i = 0; i < shape.loops.size(); ++i) long_stream(code, rows, i);
  for (const auto& [lanes, test] : shape.remainders) {
    code.builder().if_then(test.pred, [&] {
      Code inner = code.child();
      std::vector<std::vector<const Wave*>> waves(rows.size());
      for (size_t r = 0; r < rows.size(); ++r) {
        for (const Wave& w : hoisted_[rows[r].copy].remainders.at(lanes).waves) waves[r].push_back(&w);
      }
      move(inner, rows, waves);
    });
  }
}

// More waves than are worth hoisting: a loop over groups of them, decoded inside.
void CopyRows::long_stream(Code& code, const std::vector<Row>& rows, size_t index) const {
  const int64_t count = hoisted_[rows[0].copy].loops[index].waves * plan_.threads.lanes;
  const auto group = static_cast<int64_t>(in_flight(rows));
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
        std::vector<std::vector<Wave>> waves(rows.size());
        std::vector<std::vector<const Wave*>> pointers(rows.size());
        for (size_t r = 0; r < rows.size(); ++r) {
          const Stream& stream = *hoisted_[rows[r].copy].loops[index].stream;
          for (int64_t i = 0; i < group; ++i) {
            const Position position{v, count, i * plan_.threads.lanes};
            waves[r].push_back(wave(inner, stream, position, fmt::format("vector {} B, wave n + {}", stream.width, i),
                                    plan_.lowering != Lowering::kTail));
          }
          for (const Wave& w : waves[r]) pointers[r].push_back(&w);
        }
        move(inner, rows, pointers);
        return kernel::Builder::Values{b.add(at[0], step)};
      });
}

}  // namespace tailor::codegen::movement
