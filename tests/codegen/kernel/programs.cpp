#include "tests/codegen/kernel/programs.h"

#include <algorithm>

namespace tailor::codegen::kernel::testing {

Program arithmetic(Type type) {
  Builder b("arithmetic", 32);
  Value out = b.parameter(Type::kPtr, "out");
  Value x = b.parameter(type, "a");
  Value y = b.parameter(type, "b");
  Value c = b.parameter(Type::kI32, "c");
  Value thread = b.add(b.mul(b.special(Special::kCtaidX), b.special(Special::kNtidX)), b.special(Special::kTidX));
  out = b.ptr_add(out, b.mul(thread, b.i32(kArithmeticBytes)));
  x = b.add(x, type == Type::kI32 ? thread : b.zero_extend(thread));
  int64_t slot = 0;
  auto keep = [&](Value v) {
    Type t = b.type_of(v);
    if (t == Type::kPred) {
      v = b.select(v, b.i32(1), b.i32(0));
      t = Type::kI32;
    }
    b.store(t, b.ptr_add(out, b.i64(8 * slot++)), v, {"out", "result", bytes_of(t), false});
  };
  for (Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kMulHighU, Op::kMinS, Op::kMaxS, Op::kMinU, Op::kMaxU, Op::kAnd,
                Op::kOr, Op::kXor})
    keep(b.binary(op, x, y, std::string(to_string(op))));
  Value width_mask = b.constant(type, 8 * bytes_of(type) - 1);
  for (Op op : {Op::kShl, Op::kShrU, Op::kShrS}) {
    keep(b.binary(op, x, b.constant(type, 5)));
    keep(b.binary(op, x, b.bit_and(y, width_mask)));
  }
  keep(b.logical_not(x));
#define X(name, text) Compare::name,
  std::vector<Value> preds;
  for (Compare relation : {TAILOR_KERNEL_COMPARES(X)}) preds.push_back(b.compare(relation, x, y));
#undef X
  for (Value p : preds) keep(p);
  keep(b.bit_and(preds[0], preds[1]));
  keep(b.bit_or(preds[2], preds[4]));
  keep(b.binary(Op::kXor, preds[3], preds[6]));
  keep(b.logical_not(preds[5]));
  keep(b.select(preds[0], b.constant(Type::kPred, 1), b.constant(Type::kPred, 0)));
  keep(b.select(preds[2], x, y));
  keep(b.constant(type, -7));
  keep(b.constant(Type::kI32, 0xfffffff0));
  keep(b.sign_extend(c));
  keep(b.zero_extend(c));
  keep(b.truncate(b.mul(b.sign_extend(c), b.i64(0x123456789))));
#define X(name, text) Special::name,
  for (Special special : {TAILOR_KERNEL_SPECIALS(X)}) keep(b.special(special));
#undef X
  keep(b.select(preds[1], b.ptr_add(out, c), b.ptr_add(out, b.sign_extend(c))));
  b.atomic_max_u64(b.ptr_add(out, b.i32(static_cast<int32_t>(8 * slot))), b.sign_extend(c),
                   {"out", "status", 8, false});
  return b.finish();
}

Program memory(bool read_only) {
  Builder b("memory", 32);
  Value out = b.parameter(Type::kPtr, "out");
  Value in = b.parameter(Type::kPtr, "in", read_only);
  Value offset = b.mul(b.special(Special::kTidX), b.i32(kMemoryBytes));
  out = b.ptr_add(out, offset);
  in = b.ptr_add(in, offset);
  Value yes = b.constant(Type::kPred, 1);
  Value never = b.compare(Compare::kUgt, b.special(Special::kLaneId), b.i32(31));
  Value even = b.compare(Compare::kEq, b.bit_and(b.special(Special::kTidX), b.i32(1)), b.i32(0));
  int64_t slot = 0;
  auto at = [&](Value base) { return b.ptr_add(base, b.i64(16 * slot)); };
  for (Type t : {Type::kI32, Type::kI64, Type::kPtr, Type::kB8, Type::kB16, Type::kB32, Type::kB64, Type::kB128}) {
    Builder::AccessInfo from{"in", "source", bytes_of(t), read_only};
    Builder::AccessInfo to{"out", "destination", bytes_of(t), false};
    for (Value guard : {Value{}, yes, never, even}) {
      Value loaded = b.load(t, at(in), from, guard);
      b.store(t, at(out), loaded, to);
      ++slot;
      b.store(t, at(out), b.load(t, at(in), from), to, guard);
      ++slot;
    }
    if (t == Type::kPtr) continue;
    Value chosen = b.select(even, b.constant(t, 0x5a), b.load(t, at(in), from));
    b.store(t, at(out), chosen, to);
    ++slot;
  }
  // Neighbouring small stores of equal form, and a narrowed load: nothing may be merged or narrowed.
  Value low = b.truncate(b.load(Type::kI64, at(in), {"in", "wide", 8, read_only}));
  b.store(Type::kI32, at(out), low, {"out", "low", 16, false});
  b.store(Type::kI32, b.ptr_add(at(out), b.i64(4)), low, {"out", "low again", 4, false});
  b.load(Type::kB32, at(in), {"in", "unused", 16, read_only});
  b.store(Type::kB8, b.ptr_add(at(out), b.i64(8)), b.constant(Type::kB8, 255), {"out", "byte", 8, false});
  b.store(Type::kB8, b.ptr_add(at(out), b.i64(9)), b.constant(Type::kB8, 255), {"out", "byte", 1, false});
  b.if_else(
      even,
      [&] {
        b.store(Type::kI32, b.ptr_add(at(out), b.i64(12)), low, {"out", "same store, first side", 4, false});
        return Builder::Values{};
      },
      [&] {
        b.store(Type::kI32, b.ptr_add(at(out), b.i64(12)), low, {"out", "same store, second side", 4, false});
        return Builder::Values{};
      });
  return b.finish();
}

Program shared() {
  using Values = Builder::Values;
  constexpr uint32_t kThreads = 64;
  Builder b("shared", kThreads);
  Value out = b.parameter(Type::kPtr, "out");
  Value in = b.parameter(Type::kPtr, "in");
  Value flag = b.parameter(Type::kPtr, "flag", true);
  Value n = b.parameter(Type::kI32, "n");
  Value tid = b.special(Special::kTidX);
  Value own = b.mul(tid, b.i32(kSharedBytes));
  out = b.ptr_add(out, own);
  in = b.ptr_add(in, own);
  Value words = b.shared(4 * kThreads + 4);  // the next begins behind a gap
  Value wide = b.shared(16 * kThreads);
  Value mine = b.ptr_add(wide, b.mul(tid, b.i32(16)));
  Value other = b.ptr_add(wide, b.mul(b.sub(b.i32(kThreads - 1), tid), b.i32(16)));
  Value even = b.compare(Compare::kEq, b.bit_and(tid, b.i32(1)), b.i32(0));
  b.for_loop(b.i32(0), n, b.i32(1), {}, [&](Value round, const Values&) {
    int64_t slot = 0;
    for (Type t : {Type::kI32, Type::kI64, Type::kB8, Type::kB16, Type::kB32, Type::kB64, Type::kB128}) {
      const int bytes = bytes_of(t);
      Value source = b.ptr_add(in, b.i64(16 * slot));
      Value destination = b.ptr_add(out, b.i64(16 * slot++));
      b.store(t, mine, b.load(t, source, {"in", "source", bytes, false}), {"", "own slot", bytes, false});
      b.barrier();
      b.store(t, destination, b.load(t, other, {"", "the other's slot", bytes, false}),
              {"out", "destination", bytes, false});
      b.barrier();
      destination = b.ptr_add(out, b.i64(16 * slot++));
      b.store(t, mine, b.load(t, source, {"in", "source", bytes, false}), {"", "own slot if even", bytes, false}, even);
      b.barrier();
      b.store(t, destination, b.load(t, other, {"", "the other's slot if even", bytes, false}, even),
              {"out", "destination", bytes, false});
      b.barrier();
    }
    // Both sides of a branch that all threads take alike.
    Value same = b.compare(Compare::kSlt, round, b.load(Type::kI32, flag, {"flag", "flag", 4, true}));
    Value word = b.ptr_add(words, b.mul(tid, b.i32(4)));
    Value sum = b.if_else(
        same,
        [&] {
          b.store(Type::kI32, b.ptr_add(word, b.i32(4)), tid, {"", "word of the next", 4, false});
          b.barrier();
          return Values{b.select(even, b.load(Type::kI32, b.ptr_add(words, b.i32(4)), {"", "first", 4, false}), tid)};
        },
        [&] {
          b.store(Type::kI32, word, round, {"", "word", 4, false});
          b.barrier();
          return Values{b.load(Type::kI32, words, {"", "broadcast", 4, false})};
        })[0];
    b.barrier();
    b.store(Type::kI32, b.ptr_add(out, b.i64(16 * slot)), sum, {"out", "sum", 4, false});
    return Values{};
  });
  return b.finish();
}

Program floats() {
  using Values = Builder::Values;
  Builder b("floats", 32);
  Value out = b.parameter(Type::kPtr, "out");
  Value in = b.parameter(Type::kPtr, "in", true);
  Value x = b.bitcast(Type::kF32, b.parameter(Type::kI32, "x"));
  Value thread = b.add(b.mul(b.special(Special::kCtaidX), b.special(Special::kNtidX)), b.special(Special::kTidX));
  out = b.ptr_add(out, b.mul(thread, b.i32(kFloatsBytes)));
  in = b.ptr_add(in, b.mul(thread, b.i32(64)));
  int64_t end = 0;
  auto keep = [&](Value v) {
    if (b.type_of(v) == Type::kF32) v = b.bitcast(Type::kB32, v);
    const int bytes = bytes_of(b.type_of(v));
    end = (end + bytes - 1) / bytes * bytes;
    b.store(b.type_of(v), b.ptr_add(out, b.i64(end)), v, {"out", "result", bytes, false});
    end += bytes;
  };
  auto load = [&](Type t, int64_t at) {
    return b.load(t, b.ptr_add(in, b.i64(at)), {"in", "source", bytes_of(t), true});
  };
  auto f32_at = [&](int64_t at) { return b.bitcast(Type::kF32, load(Type::kB32, at)); };
  const Values f{f32_at(0), f32_at(4), f32_at(8), x};
  for (Op op : {Op::kFAdd, Op::kFSub, Op::kFMul}) {
    keep(b.binary(op, f[0], f[1], std::string(to_string(op))));
    keep(b.binary(op, f[2], x));
    keep(b.binary(op, f[2], b.f32(1.0f)));
  }
  keep(b.fma(f[0], f[1], f[2]));
  keep(b.binary(Op::kFAdd, b.binary(Op::kFMul, f[0], f[1]), f[2]));  // stays two roundings
  keep(b.fma(f[2], x, b.f32(-0.0f)));
  keep(b.constant(Type::kF32, 0xffc12345));  // bits of a NaN are kept where nothing computes
  Value even = b.compare(Compare::kEq, b.bit_and(thread, b.i32(1)), b.i32(0));
  keep(b.select(even, f[0], b.f32(1.5f)));
  keep(b.bitcast(Type::kI32, b.for_loop(b.i32(0), b.i32(5), b.i32(1), {f[1]}, [&](Value, const Values& carried) {
    return Values{b.fma(carried[0], b.f32(0.75f), f[2])};
  })[0]));
  keep(b.bitcast(Type::kB64, b.bitcast(Type::kI64, load(Type::kB64, 16))));

#define X(name, text, bytes) Format::name,
  for (Format format : {TAILOR_KERNEL_FORMATS(X)}) {
#undef X
    const Type one = bits_type(bytes_of(format));
    const Type two = bits_type(2 * bytes_of(format));
    keep(b.decode(format, load(one, 16))[0]);
    for (Value value : b.decode(format, load(two, 20))) keep(value);
    keep(b.encode(format, {f[0]}));
    keep(b.encode(format, {f[1]}));
    keep(b.encode(format, {x}));
    keep(b.encode(format, {f[2], f[0]}));
    keep(b.encode(format, {f[1], x}));
  }

  for (Type whole : {Type::kB16, Type::kB32, Type::kB64, Type::kB128}) {
    for (Type lane : {Type::kB8, Type::kB16, Type::kB32, Type::kB64}) {
      if (bytes_of(lane) >= bytes_of(whole)) continue;
      Values lanes = b.unpack(lane, load(whole, 32));
      std::reverse(lanes.begin(), lanes.end());
      keep(b.pack(lanes));
      if (bytes_of(lane) < 4) keep(lanes[1]);
      if (bytes_of(lane) < 4) keep(b.zero_extend(lanes[0]));
    }
  }
  return b.finish();
}

Program control() {
  using Values = Builder::Values;
  Builder b("control", 64);
  Value out = b.parameter(Type::kPtr, "out");
  Value n = b.parameter(Type::kI32, "n");
  Value zero = b.i32(0);
  Value one = b.i32(1);
  Value tid = b.special(Special::kTidX);
  Value slot = b.ptr_add(out, b.mul(tid, b.i32(kControlBytes)));
  int64_t next = 0;
  auto keep = [&](Value v) {
    int bytes = bytes_of(b.type_of(v));
    b.store(b.type_of(v), b.ptr_add(slot, b.i64(8 * next++)), v, {"out", "result", bytes, false});
  };

  // Fibonacci: the carried values are permuted by the yield.
  Values fib = b.for_loop(zero, n, one, {zero, one}, [&](Value, const Values& carried) {
    return Values{carried[1], b.add(carried[0], carried[1])};
  });
  keep(fib[0]);
  keep(fib[1]);

  // gcd by subtraction, with an if inside a while; the condition passes fewer values than it gets.
  Values gcd = b.while_loop(
      {b.add(tid, one), b.add(n, one), zero},
      [&](const Values& v) {
        return std::pair<Value, Values>{b.compare(Compare::kNe, v[0], v[1]), {v[0], v[1]}};
      },
      [&](const Values& v) {
        Values r = b.if_else(
            b.compare(Compare::kUlt, v[0], v[1]),
            [&] {
              return Values{v[0], b.sub(v[1], v[0])};
            },
            [&] {
              return Values{b.sub(v[0], v[1]), v[1]};
            });
        return Values{r[0], r[1], tid};
      });
  keep(gcd[0]);

  // Loops of nothing carried, 64-bit induction, steps above one, a pointer and a pred carried.
  Values walk = b.for_loop(b.i64(-3), b.sign_extend(n), b.i64(2), {slot, b.constant(Type::kPred, 0), b.i64(0)},
                           [&](Value iv, const Values& v) {
                             return Values{b.ptr_add(v[0], b.i64(0)), b.logical_not(v[1]), b.add(v[2], iv)};
                           });
  b.store(Type::kI64, b.ptr_add(walk[0], b.i64(24)), walk[2], {"out", "sum", 8, false});
  b.store(Type::kI32, b.ptr_add(walk[0], b.i64(32)), b.select(walk[1], one, zero), {"out", "parity", 8, false});
  b.for_loop(zero, n, b.i32(3), {}, [&](Value i, const Values&) {
    b.if_then(b.compare(Compare::kEq, i, tid), [&] {
      b.store(Type::kI32, b.ptr_add(slot, b.i64(40)), i, {"out", "found", 8, false});
      b.while_loop(
          {},
          [&](const Values&) {
            return std::pair<Value, Values>{b.constant(Type::kPred, 0), {}};
          },
          [&](const Values&) { return Values{}; });
    });
    return Values{};
  });
  return b.finish();
}

Program example() {
  Builder b("tailor_copy", 256);
  Value dst = b.parameter(Type::kPtr, "dst");
  Value src = b.parameter(Type::kPtr, "src", true);
  Value n = b.parameter(Type::kI32, "n");
  Value tid = b.special(Special::kTidX);
  Value cta = b.special(Special::kCtaidX);
  b.set_name(tid, "tid");
  b.set_name(cta, "cta");
  Value i = b.binary(Op::kAdd, b.mul(cta, b.i32(256)), tid, "i");
  b.if_then(b.compare(Compare::kUlt, i, n), [&] {
    Value off = b.mul(i, b.i32(16));
    Value v = b.load(Type::kB128, b.ptr_add(src, off), {"src", "vector", 16, true});
    b.store(Type::kB128, b.ptr_add(dst, off), v, {"dst", "vector", 16, false});
  });
  return b.finish();
}

Program gather() {
  using Values = Builder::Values;
  Builder b("tailor_gather", 256);
  Value dst = b.parameter(Type::kPtr, "dst");
  Value src = b.parameter(Type::kPtr, "src", true);
  Value table = b.parameter(Type::kPtr, "table", true);
  Value cu = b.parameter(Type::kPtr, "cu", true);
  Value status = b.parameter(Type::kPtr, "status");
  Value rows = b.parameter(Type::kI32, "rows");
  Value batch = b.parameter(Type::kI32, "batch");
  Value max_pages = b.parameter(Type::kI32, "max_pages");
  Value pages = b.parameter(Type::kI32, "pages");
  Value stride = b.parameter(Type::kI64, "stride");
  Value zero = b.i32(0);
  Value one = b.i32(1);
  Value four = b.i32(4);
  Value sixteen = b.i32(16);
  Value tid = b.special(Special::kTidX);
  Value lane = b.bit_and(tid, b.i32(31));
  Value warp = b.add(b.mul(b.special(Special::kCtaidX), b.i32(8)), b.binary(Op::kShrU, tid, b.i32(5)));
  Value warps = b.mul(b.special(Special::kNctaidX), b.i32(8));
  b.for_loop(warp, rows, warps, {}, [&](Value row, const Values&) {
    Values found = b.while_loop(
        {zero, batch},
        [&](const Values& v) {
          return std::pair<Value, Values>{b.compare(Compare::kUgt, b.sub(v[1], v[0]), one), v};
        },
        [&](const Values& v) {
          Value mid = b.binary(Op::kShrU, b.add(v[0], v[1]), one);
          Value start = b.load(Type::kI32, b.ptr_add(cu, b.mul(mid, four)), {"cu", "cu[mid]", 4, true});
          Value below = b.compare(Compare::kSle, start, row);
          return Values{b.select(below, mid, v[0]), b.select(below, v[1], mid)};
        });
    Value start = b.load(Type::kI32, b.ptr_add(cu, b.mul(found[0], four)), {"cu", "cu[s]", 4, true});
    Value position = b.sub(row, start);
    Value page = b.binary(Op::kShrU, b.binary(Op::kMulHighU, position, b.i32(0xaaaaaaab)), b.i32(3));
    Value inside = b.compare(Compare::kUlt, page, max_pages);
    Value entry = b.sign_extend(b.add(b.mul(found[0], max_pages), page));
    Value physical =
        b.load(Type::kI32, b.ptr_add(table, b.mul(entry, b.i64(4))), {"table", "table[s, page]", 4, true}, inside);
    b.if_else(
        b.bit_and(inside, b.compare(Compare::kUlt, physical, pages)),
        [&] {
          Value slot = b.sub(position, b.mul(page, b.i32(12)));
          Value from =
              b.ptr_add(src, b.add(b.mul(b.zero_extend(physical), stride), b.mul(b.zero_extend(slot), b.i64(656))));
          Value to = b.ptr_add(dst, b.mul(b.zero_extend(row), b.i64(656)));
          b.for_loop(lane, b.i32(32), b.i32(32), {}, [&](Value vector, const Values&) {
            Value off = b.mul(vector, sixteen);
            Value x = b.load(Type::kB128, b.ptr_add(from, off), {"src", "body vector 16 B", 16, true});
            b.store(Type::kB128, b.ptr_add(to, off), x, {"dst", "body vector 16 B", 16, false});
            return Values{};
          });
          Value guard = b.compare(Compare::kUlt, lane, b.i32(8));
          Value off = b.mul(lane, sixteen);
          Value x = b.load(Type::kB128, b.ptr_add(b.ptr_add(from, off), b.i64(512)),
                           {"src", "fringe vector 16 B", 16, true}, guard);
          b.store(Type::kB128, b.ptr_add(b.ptr_add(to, off), b.i64(512)), x, {"dst", "fringe vector 16 B", 16, false},
                  guard);
          b.if_then(b.compare(Compare::kEq, lane, zero), [&] {
            int64_t at = 640;
            for (int bytes : {8, 4, 2, 1}) {
              Type t = bits_type(bytes);
              Value tail = b.load(t, b.ptr_add(from, b.i64(at)), {"src", "tail", bytes, true});
              b.store(t, b.ptr_add(to, b.i64(at)), tail, {"dst", "tail", bytes, false});
              at += bytes;
            }
          });
          return Values{};
        },
        [&] {
          b.atomic_max_u64(status, b.sign_extend(row), {"status", "first bad row", 8, false});
          return Values{};
        });
    return Values{};
  });
  return b.finish();
}

std::vector<NamedProgram> all_programs() {
  std::vector<NamedProgram> programs;
  programs.push_back({"arithmetic_i32", arithmetic(Type::kI32)});
  programs.push_back({"arithmetic_i64", arithmetic(Type::kI64)});
  programs.push_back({"memory", memory(false)});
  programs.push_back({"memory_read_only", memory(true)});
  programs.push_back({"control", control()});
  programs.push_back({"floats", floats()});
  programs.push_back({"shared", shared()});
  programs.push_back({"example", example()});
  programs.push_back({"gather", gather()});
  return programs;
}

}  // namespace tailor::codegen::kernel::testing
