#include "codegen/movement/transpose_rows.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "codegen/movement/lower_body.h"
#include "codegen/movement/search.h"

namespace tailor::codegen::movement {

using kernel::Compare;
using kernel::Op;
using Values = kernel::Builder::Values;

TransposeRows::TransposeRows(const RowPlan& plan, const Operands& operands, size_t loop, Value tid)
    : plan_(*plan.transpose_of(loop)),
      lowering_(plan.lowering),
      operands_(operands),
      program_(operands.program()),
      loop_(program_.body()[loop]),
      tid_(tid) {}

void TransposeRows::hoist(Code& code) {
  constexpr int kBytes = TransposePlan::kTileBytes;
  const int granule = plan_.granule(), granules = kBytes / granule;
  shared_ = code.builder().shared(TransposePlan::kTileRows * kBytes);
  const auto place = [&](Value row, Value bytes) {
    const Value low = code.modulo(row, granules, TransposePlan::kTileRows - 1);
    const Value high = code.times(code.divide(row, granules, TransposePlan::kTileRows - 1), plan_.turn());
    const Value turn = code.times(code.binary(Op::kXor, low, high), granule);
    return code.add(code.times(row, kBytes), code.binary(Op::kXor, bytes, turn));
  };
  const int lanes = lanes_per_row();
  reader_.row = code.divide(tid_, lanes, kMaxBlockThreads - 1);
  reader_.column_bytes = code.times(code.modulo(tid_, lanes, kMaxBlockThreads - 1), plan_.vector);
  reader_.place = place(reader_.row, reader_.column_bytes);
  const int holders = TransposePlan::kTileRows / plan_.group;  // threads per column
  writer_.row = code.times(code.modulo(tid_, holders, kMaxBlockThreads - 1), plan_.group);
  writer_.column = code.divide(tid_, holders, kMaxBlockThreads - 1);
  writer_.place = place(writer_.row, code.times(writer_.column, plan_.element));
}

void TransposeRows::run(Code& code, Value first, Value end, Value reporting) {
  hoist(code);
  Value reporter{};
  if (reporting.id != kernel::kNoValue) {
    reporter = code.both(reporting, code.compare(Compare::kEq, writer_.column, code.i32(0)));
  }
  segments() ? run_segments(code, first, end, reporter) : run_copies(code, first, end, reporter);
}

void TransposeRows::run_segments(Code& code, Value first, Value end, Value reporter) {
  kernel::Builder& b = code.builder();
  const SegmentSearch search(operands_, loop_.body[0]);
  const Segment begin = search.find(code, code.add(first, writer_.row));
  b.while_loop(
      {first, begin.index, begin.begin, begin.end},
      [&](const Values& at) {
        return std::pair{b.compare(Compare::kUlt, at[0], end), at};
      },
      [&](const Values& at) {
        Code body = code.child();
        const Value row = body.add(at[0], writer_.row);
        const Segment found = search.advance(body, row, {at[1], at[2], at[3], {}});
        columns(body, [&](Code& inner, Value column, int64_t bytes) {
          read(inner, at[0], end, column, bytes);
          b.barrier();
          b.if_then(inner.compare(Compare::kUlt, row, end), [&] {
            Code store = inner.child();
            const auto move = [&](Code& here, const std::vector<tile::Node>& nodes, size_t place,
                                  const std::vector<Value>& scalars, Value) {
              const tile::Node& node = nodes[place];
              const Value from = here.to_index(scalars[node.indices[0]]);
              const Value length = here.sub(here.to_index(scalars[node.indices[1]]), from);
              const Value within = here.sub(here.to_index(scalars[node.source_indices[0]]), from);
              const Value start = here.add(here.times(from, plan_.row_bytes), here.times(within, plan_.element));
              write(here, start, length, 1, column, bytes);
              return place;
            };
            LowerBody(operands_, reporter, move).run(store, loop_, row, found);
          });
          b.barrier();
        });
        return Values{body.add(at[0], body.i32(TransposePlan::kTileRows)), found.index, found.begin, found.end};
      });
}

void TransposeRows::run_copies(Code& code, Value first, Value end, Value reporter) {
  kernel::Builder& b = code.builder();
  b.while_loop(
      {first},
      [&](const Values& at) {
        return std::pair{b.compare(Compare::kUlt, at[0], end), at};
      },
      [&](const Values& at) {
        Code body = code.child();
        columns(body, [&](Code& inner, Value column, int64_t bytes) {
          read_copies(inner, at[0], end, column, bytes);
          b.barrier();
          const Value row = inner.add(at[0], writer_.row);
          b.if_then(inner.compare(Compare::kUlt, row, end), [&] {
            Code store = inner.child();
            const auto move = [&](Code& here, const std::vector<tile::Node>& nodes, size_t place,
                                  const std::vector<Value>& scalars, Value) {
              std::vector<Value> indices;
              for (tile::ValueId id : nodes[place].indices) indices.push_back(scalars[id]);
              const tile::Stride& step = program_.views()[plan_.node.view].dims.back().stride;
              const Value scale = step.exact ? here.index(*step.exact) : operands_.parameter(step.symbol);
              write(here, operands_.offset(here, plan_.node.view, indices), scale, plan_.element, column, bytes);
              return place;
            };
            LowerBody(operands_, reporter, move).run(store, loop_, row, {});
          });
          b.barrier();
        });
        return Values{body.add(at[0], body.i32(TransposePlan::kTileRows))};
      });
}

void TransposeRows::columns(Code& code, const std::function<void(Code&, Value, int64_t)>& tile) {
  kernel::Builder& b = code.builder();
  constexpr int64_t kBytes = TransposePlan::kTileBytes;
  const int64_t rest = guarded() ? 0 : plan_.row_bytes % kBytes;
  const int64_t tiles = (plan_.row_bytes - rest + kBytes - 1) / kBytes;
  if (tiles == 1) tile(code, code.index(0), kBytes);
  if (tiles > 1) {
    const Value last = code.index(tiles * kBytes);
    b.while_loop(
        {code.index(0)},
        [&](const Values& column) {
          return std::pair{b.compare(Compare::kUlt, column[0], last), column};
        },
        [&](const Values& column) {
          Code inner = code.child();
          tile(inner, column[0], kBytes);
          return Values{b.add(column[0], inner.index(kBytes))};
        });
  }
  if (rest > 0) tile(code, code.index(plan_.row_bytes - rest), rest);
}

std::vector<TransposeRows::Piece> TransposeRows::pieces(int64_t bytes) const {
  std::vector<Piece> result;
  const int rest = static_cast<int>(bytes % plan_.vector);
  int offset = 0;
  for (int width = plan_.vector / 2; width > 0; width /= 2) {
    if ((rest & width) == 0) continue;
    result.push_back({offset, width});
    offset += width;
  }
  return result;
}

// Whole tiles are read without a test; the last one of a chunk row by row.
void TransposeRows::read(Code& code, Value first, Value end, Value column, int64_t bytes) {
  if (guarded()) return read_rows(code, first, column, bytes, end);
  const Value whole = code.compare(Compare::kUle, code.add_constant(first, TransposePlan::kTileRows), end);
  const auto side = [&](Value limit) {
    Code inner = code.child();
    read_rows(inner, first, column, bytes, limit);
    return Values{};
  };
  code.builder().if_else(
      whole, [&] { return side({}); }, [&] { return side(end); });
}

// `offset` bytes after the thread's first vector of the tile.
Value TransposeRows::load(Code& code, Value row_start, Value column, int pass, int width, int offset,
                          Value guard) const {
  const tile::View& source = program_.views()[plan_.node.source];
  const Value own = code.add(column, code.to_index(reader_.column_bytes));
  const Value from = code.pointer(code.pointer(operands_.parameter(source.name), row_start), in_row(code, own));
  return code.builder().load(
      kernel::bits_type(width), code.pointer(from, offset),
      {source.name, fmt::format("row {} + n, {} B at +{}", pass * rows_per_pass(), width, offset), width, true}, guard);
}

void TransposeRows::lanes(Code& code, int64_t bytes, const std::function<void(Code&, int, int)>& put) {
  kernel::Builder& b = code.builder();
  const int64_t whole = guarded() ? lanes_per_row() : bytes / plan_.vector;
  if (whole == lanes_per_row()) return put(code, plan_.vector, 0);
  if (whole > 0) {
    b.if_then(code.compare(Compare::kUlt, reader_.column_bytes, code.i32(whole * plan_.vector)), [&] {
      Code inner = code.child();
      put(inner, plan_.vector, 0);
    });
  }
  const std::vector<Piece> rest = pieces(bytes);
  if (rest.empty()) return;
  b.if_then(code.compare(Compare::kEq, reader_.column_bytes, code.i32(whole * plan_.vector)), [&] {
    Code inner = code.child();
    for (const Piece& piece : rest) put(inner, piece.width, piece.offset);
  });
}

// Up to kMaxInFlight loads before their vectors are kept. `limit`: rows at or beyond it are left out.
void TransposeRows::read_rows(Code& code, Value first, Value column, int64_t bytes, Value limit) {
  const bool branches = limit.id != kernel::kNoValue && !guarded();
  const int group = branches ? 1 : std::min(passes(), kMaxInFlight);
  lanes(code, bytes, [&](Code& inner, int width, int offset) {
    const auto row_of = [&](Code& here, int pass) {
      return here.add(first, here.add_constant(reader_.row, pass * rows_per_pass()));
    };
    const auto move = [&](Code& here, int begin) {
      std::vector<Value> loaded;
      for (int pass = begin; pass < begin + group; ++pass) {
        const Value row = row_of(here, pass);
        Value guard{};
        if (guarded()) {
          const Value own = here.add(column, here.to_index(reader_.column_bytes));
          guard = here.both(here.compare(Compare::kUlt, row, limit),
                            here.compare(Compare::kUlt, own, here.index(plan_.row_bytes)));
        }
        const Value start = operands_.offset(here, plan_.node.source, {row});
        loaded.push_back(load(here, start, column, pass, width, offset, guard));
      }
      for (int i = 0; i < group; ++i) keep(here, loaded[i], width, begin + i, offset);
    };
    for (int pass = 0; pass < passes(); pass += group) {
      if (!branches) {
        move(inner, pass);
        continue;
      }
      inner.builder().if_then(inner.compare(Compare::kUlt, row_of(inner, pass), limit), [&] {
        Code here = inner.child();
        move(here, pass);
      });
    }
  });
}

// The row's place in the source comes from its own iteration of the body.
void TransposeRows::read_copies(Code& code, Value first, Value end, Value column, int64_t bytes) {
  kernel::Builder& b = code.builder();
  for (int pass = 0; pass < passes(); ++pass) {
    const Value row = code.add(first, code.add_constant(reader_.row, pass * rows_per_pass()));
    b.if_then(code.compare(Compare::kUlt, row, end), [&] {
      Code inner = code.child();
      const auto move = [&](Code& here, const std::vector<tile::Node>& nodes, size_t place,
                            const std::vector<Value>& scalars, Value) {
        std::vector<Value> indices;
        for (tile::ValueId id : nodes[place].source_indices) indices.push_back(scalars[id]);
        const Value start = operands_.offset(here, plan_.node.source, indices);
        lanes(here, bytes, [&](Code& lane, int width, int offset) {
          Value guard{};
          if (guarded()) {
            const Value own = lane.add(column, lane.to_index(reader_.column_bytes));
            guard = lane.compare(Compare::kUlt, own, lane.index(plan_.row_bytes));
          }
          keep(lane, load(lane, start, column, pass, width, offset, guard), width, pass, offset);
        });
        return place;
      };
      LowerBody(operands_, {}, move).run(inner, loop_, row, {});
    });
  }
}

// Bytes of a row -> bytes from the row's start in the source.
Value TransposeRows::in_row(Code& code, Value bytes) const {
  const tile::Stride& step = program_.views()[plan_.node.source].dims.back().stride;
  if (step.exact == int64_t{plan_.element}) return bytes;
  const int shift = std::countr_zero(static_cast<unsigned>(plan_.element));
  const Value index = shift == 0 ? bytes : code.binary(Op::kShrU, bytes, code.index(shift));
  return step.exact ? code.times(index, *step.exact) : code.mul(index, operands_.parameter(step.symbol));
}

// Rows advance by rows_per_pass, a power of two, from pass to pass and columns by whole granules within a vector, so
// that both change the place of the thread's first granule by a sum above 128 bytes and an xor below.
void TransposeRows::keep(Code& code, Value vector, int width, int pass, int offset) {
  kernel::Builder& b = code.builder();
  const int granule = plan_.granule(), granules = TransposePlan::kTileBytes / granule;
  const int row = pass * rows_per_pass();
  const auto put = [&](Value bits, int bytes, int at) {
    const int row_turn = row % granules ^ row / granules * plan_.turn();
    const int turn = row_turn * granule ^ (at & ~(granule - 1));
    const Value turned = turn == 0 ? reader_.place : code.binary(Op::kXor, reader_.place, code.i32(turn));
    const Value to = code.add_constant(turned, row * TransposePlan::kTileBytes + (at & (granule - 1)));
    b.store(kernel::bits_type(bytes), b.ptr_add(shared_, to), bits,
            {"", fmt::format("row {} + n, {} B at +{}", row, bytes, at), bytes, false});
  };
  if (width <= granule) return put(vector, width, offset);
  const std::vector<Value> lanes = b.unpack(kernel::bits_type(granule), vector);
  for (size_t i = 0; i < lanes.size(); ++i) put(lanes[i], granule, offset + static_cast<int>(i) * granule);
}

void TransposeRows::write(Code& code, Value start, Value scale, int unit, Value column, int64_t bytes) {
  const Value own = code.add(column, code.to_index(code.times(writer_.column, plan_.element)));  // bytes of the row
  const Value steps = unit == 1 ? own : code.binary(Op::kShrU, own, code.index(std::countr_zero(unsigned(unit))));
  const Value across = code.mul(steps, scale);
  const Value from = start.id == kernel::kNoValue ? across : code.add(start, across);
  const int step = columns_per_step();
  const int count = static_cast<int>(bytes) / plan_.element;
  write_columns(code, from, scale, unit, 0, count / step, own);
  if (count % step == 0) return;
  code.builder().if_then(code.compare(Compare::kUlt, writer_.column, code.i32(count % step)), [&] {
    Code inner = code.child();
    write_columns(inner, from, scale, unit, count / step, 1, own);
  });
}

// Element i of the group lies in row i after the thread's first one: its granule is turned by i and 128 * i further on.
Value TransposeRows::gather_rows(Code& code, int column) const {
  kernel::Builder& b = code.builder();
  std::vector<Value> elements;
  for (int i = 0; i < plan_.group; ++i) {
    const int turn = column * plan_.element ^ i * plan_.granule();
    const Value turned = turn == 0 ? writer_.place : code.binary(Op::kXor, writer_.place, code.i32(turn));
    const Value place = code.add_constant(turned, i * TransposePlan::kTileBytes);
    elements.push_back(b.load(kernel::bits_type(plan_.element), b.ptr_add(shared_, place),
                              {"", fmt::format("row n + {}, column m + {}", i, column), plan_.element, false}));
  }
  return plan_.group == 1 ? elements[0] : b.pack(elements);
}

// The columns first * step, (first + 1) * step, … after the thread's own, `count` of them.
void TransposeRows::write_columns(Code& code, Value from, Value scale, int unit, int first, int count, Value own) {
  kernel::Builder& b = code.builder();
  const tile::View& target = program_.views()[plan_.node.view];
  const int width = plan_.group * plan_.element;
  const int64_t step = int64_t{columns_per_step()} * plan_.element;  // bytes of a row
  const int in_flight = std::max(1, kMaxInFlight / plan_.group);
  for (int begin = first; begin < first + count; begin += in_flight) {
    const int end = std::min(begin + in_flight, first + count);
    std::vector<Value> gathered;
    for (int k = begin; k < end; ++k) gathered.push_back(gather_rows(code, k * columns_per_step()));
    for (int k = begin; k < end; ++k) {
      Value guard{};
      if (guarded()) guard = code.compare(Compare::kUlt, code.add_constant(own, k * step), code.index(plan_.row_bytes));
      const Value to = code.pointer(operands_.parameter(target.name),
                                    k == 0 ? from : code.add(from, code.times(scale, k * step / unit)));
      b.store(kernel::bits_type(width), to, gathered[k - begin],
              {target.name, fmt::format("column m + {}, {} B", k * columns_per_step(), width), width, false}, guard);
    }
  }
}

}  // namespace tailor::codegen::movement
