// Each instruction against a function of C++ on random and edge operands. A case is one line of PTX that computes %d
// from %a, %b and %c; one kernel per case applies it to vectors of operands.
#include <bit>
#include <cfenv>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "tests/runtime/virtual_device/harness.h"

namespace tailor::virtual_device {
namespace {

using u64 = uint64_t;
using Oracle = std::function<u64(u64 a, u64 b, u64 c)>;

enum class Kind { kInt, kF32, kF64, kF16, kShift };

struct Case {
  std::string ptx;         // "add.s32 %d, %a, %b;"
  std::string d, a, b, c;  // register types
  Kind kind;
  Oracle oracle;
  double ulps = 0;  // allowed error of an f32 result in units in the last place
};

unsigned bits_of(const std::string& type) { return static_cast<unsigned>(std::stoul(type.substr(1))); }

float f32(u64 v) { return std::bit_cast<float>(static_cast<uint32_t>(v)); }
double f64(u64 v) { return std::bit_cast<double>(v); }
// PTX's canonical NaN.
u64 bits(float v) { return v != v ? 0x7FFFFFFFu : std::bit_cast<uint32_t>(v); }
u64 bits(double v) { return std::bit_cast<u64>(v); }
int32_t s32(u64 v) { return static_cast<int32_t>(v); }
int64_t s64(u64 v) { return static_cast<int64_t>(v); }
uint32_t u32(u64 v) { return static_cast<uint32_t>(v); }
int16_t s16(u64 v) { return static_cast<int16_t>(v); }

class Instruction : public testing::DeviceTest {
 protected:
  static std::vector<u64> operands(const std::string& type, Kind kind, std::mt19937_64& random) {
    const unsigned width = bits_of(type);
    std::vector<u64> edges;
    if (kind == Kind::kF32 && width == 32) {
      for (float v : {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 3.4028235e38f, -3.4028235e38f, 1.17549435e-38f, 1e-45f, -1e-40f,
                      std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), 2147483648.0f,
                      -2147483648.0f, 4294967296.0f, 0.49999997f, 2.5f, -2.5f, 16777217.0f}) {
        edges.push_back(std::bit_cast<uint32_t>(v));
      }
      edges.push_back(0x7FC00001);
    } else if (kind == Kind::kF64 && width == 64) {
      for (double v : {0.0, -0.0, 1.0, -1.5, 1e308, -1e308, 5e-324, 1e-310, 9.3e18, -9.3e18, 2.5,
                       std::numeric_limits<double>::infinity()}) {
        edges.push_back(std::bit_cast<u64>(v));
      }
    } else if (kind == Kind::kShift) {
      edges = {0, 1, 7, 15, 16, 31, 32, 33, 63, 64, 65, 255, 256, 0xFFFFFFFF};
    } else {
      edges = {0,
               1,
               2,
               0x7F,
               0x80,
               0xFF,
               0x7FFF,
               0x8000,
               0xFFFF,
               0x7FFFFFFF,
               0x80000000,
               0xFFFFFFFF,
               0x7FFFFFFFFFFFFFFF,
               0x8000000000000000,
               0xFFFFFFFFFFFFFFFF};
    }
    const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
    std::vector<u64> values;
    for (size_t k = 0; k < 256; ++k) {
      u64 v = random();
      if (k % 2 == 0) v = edges[random() % edges.size()];
      if (kind == Kind::kShift && k % 2 == 1) v = random() % 70;
      // Half of the random floats have exponents near 1, where arithmetic rounds rather than overflows.
      if (kind == Kind::kF32 && width == 32 && k % 4 == 1) v = (v & 0x83FFFFFF) | 0x3C000000;
      if (kind == Kind::kF64 && width == 64 && k % 4 == 1) v = (v & 0x803FFFFFFFFFFFFF) | 0x3FC0000000000000;
      values.push_back(v & mask);
    }
    return values;
  }

  static std::string kernel(const Case& c) {
    const auto declare = [](const char* name, const std::string& type) { return ".reg ." + type + " " + name + ";\n"; };
    const auto load = [](const char* name, const std::string& type, const char* from) {
      return "ld.global." + type + " " + name + ", [" + from + "];\n";
    };
    const std::string &d = c.d, &a = c.a, &b = c.b, &e = c.c;
    return header() + ".visible .entry k(.param .u64 pd, .param .u64 pa, .param .u64 pb, .param .u64 pc) {\n" +
           ".reg .b64 %rd<9>; .reg .b32 %i; .reg .pred %p, %q; .reg .b32 %t<8>; .reg .b64 %td<4>; .reg .b16 %h<8>;\n" +
           declare("%d", d) + declare("%a", a) + declare("%b", b) + declare("%c", e) +
           "ld.param.u64 %rd1, [pd]; ld.param.u64 %rd2, [pa]; ld.param.u64 %rd3, [pb]; ld.param.u64 %rd4, [pc];\n"
           "mov.u32 %i, %tid.x; mul.wide.u32 %rd5, %i, 8;\n"
           "add.s64 %rd1, %rd1, %rd5; add.s64 %rd2, %rd2, %rd5; add.s64 %rd3, %rd3, %rd5; add.s64 %rd4, %rd4, %rd5;\n" +
           load("%a", a, "%rd2") + load("%b", b, "%rd3") + load("%c", e, "%rd4") + c.ptx + "\nst.global." + d +
           " [%rd1], %d; ret; }\n";
  }

  void check(const Case& c) {
    std::mt19937_64 random(std::hash<std::string>{}(c.ptx));
    const auto a = operands(c.a, c.kind, random), b = operands(c.b, c.kind, random), e = operands(c.c, c.kind, random);
    const auto pd = upload(std::vector<u64>(a.size(), 0));
    const auto pa = upload(a), pb = upload(b), pc = upload(e);
    run(load(kernel(c)), {1, static_cast<unsigned>(a.size())}, pd, pa, pb, pc);
    if (HasFailure()) return;
    const auto d = download<u64>(pd, a.size());
    const unsigned width = bits_of(c.d);
    const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
    for (size_t k = 0; k < a.size(); ++k) {
      const u64 want = c.oracle(a[k], b[k], e[k]) & mask, got = d[k] & mask;
      if (want == got) continue;
      if (c.ulps > 0 && std::isfinite(f32(want)) && std::isfinite(f32(got)) &&
          std::fabs(static_cast<double>(f32(want)) - f32(got)) <=
              c.ulps * std::fabs(std::nextafter(f32(want), INFINITY) - f32(want))) {
        continue;
      }
      ADD_FAILURE() << c.ptx << std::hex << " a=" << a[k] << " b=" << b[k] << " c=" << e[k] << ": got " << got
                    << ", want " << want;
      return;
    }
  }
  // With the handlers chosen for this machine, then with the portable ones.
  void check_all(const std::vector<Case>& cases) {
    for (const bool portable : {false, true}) {
      Options o;
      o.portable_lanes = portable;
      set_options(o);
      for (const Case& c : cases) {
        check(c);
        if (HasFailure()) FAIL() << (portable ? "portable handlers" : "this machine's handlers");
      }
    }
  }
};

Case i32(std::string ptx, Oracle f) { return {std::move(ptx), "b32", "b32", "b32", "b32", Kind::kInt, std::move(f)}; }
Case i64(std::string ptx, Oracle f) { return {std::move(ptx), "b64", "b64", "b64", "b64", Kind::kInt, std::move(f)}; }
Case i16(std::string ptx, Oracle f) { return {std::move(ptx), "b16", "b16", "b16", "b16", Kind::kInt, std::move(f)}; }
Case r32(std::string ptx, Oracle f, double ulps = 0) {
  return {std::move(ptx), "b32", "b32", "b32", "b32", Kind::kF32, std::move(f), ulps};
}
Case r64(std::string ptx, Oracle f) { return {std::move(ptx), "b64", "b64", "b64", "b64", Kind::kF64, std::move(f)}; }

TEST_F(Instruction, IntegerArithmeticWraps) {
  check_all({
      i32("add.s32 %d, %a, %b;", [](u64 a, u64 b, u64) { return a + b; }),
      i32("sub.u32 %d, %a, %b;", [](u64 a, u64 b, u64) { return a - b; }),
      i32("add.s32 %d, %a, -7;", [](u64 a, u64, u64) { return a - 7; }),
      i32("mul.lo.s32 %d, %a, %b;", [](u64 a, u64 b, u64) { return a * b; }),
      i32("mul.hi.s32 %d, %a, %b;", [](u64 a, u64 b, u64) { return static_cast<u64>(int64_t{s32(a)} * s32(b)) >> 32; }),
      i32("mul.hi.u32 %d, %a, %b;", [](u64 a, u64 b, u64) { return u64{u32(a)} * u32(b) >> 32; }),
      i32("mad.lo.s32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return a * b + c; }),
      i32("mad.hi.u32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return (u64{u32(a)} * u32(b) >> 32) + c; }),
      i64("add.s64 %d, %a, %b;", [](u64 a, u64 b, u64) { return a + b; }),
      i64("mul.lo.s64 %d, %a, %b;", [](u64 a, u64 b, u64) { return a * b; }),
      i64("mul.hi.u64 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return static_cast<u64>((static_cast<unsigned __int128>(a) * b) >> 64); }),
      i64("mul.hi.s64 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return static_cast<u64>((static_cast<__int128>(s64(a)) * s64(b)) >> 64); }),
      i64("mad.lo.u64 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return a * b + c; }),
      i16("add.s16 %d, %a, %b;", [](u64 a, u64 b, u64) { return a + b; }),
      i16("mul.lo.u16 %d, %a, %b;", [](u64 a, u64 b, u64) { return a * b; }),
      i16("mul.hi.s16 %d, %a, %b;", [](u64 a, u64 b, u64) { return static_cast<u64>(int{s16(a)} * s16(b)) >> 16; }),
      {"mul.wide.s32 %d, %a, %b;", "b64", "b32", "b32", "b32", Kind::kInt,
       [](u64 a, u64 b, u64) { return static_cast<u64>(int64_t{s32(a)} * s32(b)); }},
      {"mul.wide.u32 %d, %a, %b;", "b64", "b32", "b32", "b32", Kind::kInt,
       [](u64 a, u64 b, u64) { return u64{u32(a)} * u32(b); }},
      {"mul.wide.s16 %d, %a, %b;", "b32", "b16", "b16", "b16", Kind::kInt,
       [](u64 a, u64 b, u64) { return static_cast<u64>(int{s16(a)} * s16(b)); }},
      {"mad.wide.s32 %d, %a, %b, %c;", "b64", "b32", "b32", "b64", Kind::kInt,
       [](u64 a, u64 b, u64 c) { return static_cast<u64>(int64_t{s32(a)} * s32(b)) + c; }},
      i32("mul24.lo.s32 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return static_cast<u64>(int64_t{s32(a << 8) >> 8} * (s32(b << 8) >> 8)); }),
      i32("mul24.hi.u32 %d, %a, %b;", [](u64 a, u64 b, u64) { return (a & 0xFFFFFF) * (b & 0xFFFFFF) >> 16; }),
      i32("sad.u32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return c + (a > b ? a - b : b - a); }),
      i32("sad.s32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return c + (s32(a) > s32(b) ? a - b : b - a); }),
      i32("add.sat.s32 %d, %a, %b;",
          [](u64 a, u64 b, u64) {
            return static_cast<u64>(std::clamp<int64_t>(int64_t{s32(a)} + s32(b), INT32_MIN, INT32_MAX));
          }),
      i32("min.s32 %d, %a, %b;", [](u64 a, u64 b, u64) { return static_cast<u64>(std::min(s32(a), s32(b))); }),
      i32("max.u32 %d, %a, %b;", [](u64 a, u64 b, u64) { return std::max(a, b); }),
      i64("min.u64 %d, %a, %b;", [](u64 a, u64 b, u64) { return std::min(a, b); }),
      i64("max.s64 %d, %a, %b;", [](u64 a, u64 b, u64) { return static_cast<u64>(std::max(s64(a), s64(b))); }),
      i16("min.s16 %d, %a, %b;", [](u64 a, u64 b, u64) { return static_cast<u64>(std::min(s16(a), s16(b))); }),
      i32("abs.s32 %d, %a;", [](u64 a, u64, u64) { return s32(a) < 0 ? 0 - a : a; }),
      i64("neg.s64 %d, %a;", [](u64 a, u64, u64) { return 0 - a; }),
      i16("neg.s16 %d, %a;", [](u64 a, u64, u64) { return 0 - a; }),
  });
}

// Division by zero is unspecified: PTX promises nothing, so the oracle keeps out of it.
TEST_F(Instruction, DivisionTruncates) {
  const std::string guard32 = "setp.eq.s32 %p, %b, 0; selp.b32 %t1, 1, %b, %p; ";
  const std::string guard64 = "setp.eq.s64 %p, %b, 0; selp.b64 %td1, 1, %b, %p; ";
  const auto d32 = [](u64 b) { return b == 0 ? u64{1} : b; };
  check_all({
      i32(guard32 + "div.u32 %d, %a, %t1;", [=](u64 a, u64 b, u64) { return a / d32(b); }),
      i32(guard32 + "rem.u32 %d, %a, %t1;", [=](u64 a, u64 b, u64) { return a % d32(b); }),
      i32(guard32 + "div.s32 %d, %a, %t1;",
          [=](u64 a, u64 b, u64) { return static_cast<u64>(int64_t{s32(a)} / s32(d32(b))); }),
      i32(guard32 + "rem.s32 %d, %a, %t1;",
          [=](u64 a, u64 b, u64) { return static_cast<u64>(int64_t{s32(a)} % s32(d32(b))); }),
      i64(guard64 + "div.u64 %d, %a, %td1;", [=](u64 a, u64 b, u64) { return a / d32(b); }),
      i64(guard64 + "div.s64 %d, %a, %td1;",
          [=](u64 a, u64 b, u64) { return static_cast<u64>(static_cast<__int128>(s64(a)) / s64(d32(b))); }),
      i64(guard64 + "rem.s64 %d, %a, %td1;",
          [=](u64 a, u64 b, u64) { return static_cast<u64>(static_cast<__int128>(s64(a)) % s64(d32(b))); }),
  });
}

TEST_F(Instruction, LogicAndBitFields) {
  const auto bfe = [](u64 a, u64 b, u64 c, bool sign) {
    // PTX ISA 9.7.1.19, written as there: bit by bit.
    const unsigned pos = b & 0xFF, len = c & 0xFF, msb = 31;
    const u64 fill = !sign || len == 0 ? 0 : (a >> std::min(pos + len - 1, msb)) & 1;
    u64 d = 0;
    for (unsigned i = 0; i <= msb; ++i) d |= (i < len && pos + i <= msb ? (a >> (pos + i)) & 1 : fill) << i;
    return d;
  };
  Case bfe_u = i32("bfe.u32 %d, %a, %b, %c;", [=](u64 a, u64 b, u64 c) { return bfe(a, b, c, false); });
  Case bfe_s = i32("bfe.s32 %d, %a, %b, %c;", [=](u64 a, u64 b, u64 c) { return bfe(a, b, c, true); });
  Case bfi = i32("bfi.b32 %d, %a, 0xDEADBEEF, %b, %c;", [](u64 a, u64 b, u64 c) {
    u64 d = 0xDEADBEEF;
    const unsigned pos = b & 0xFF, len = c & 0xFF;
    for (unsigned i = 0; i < len && pos + i < 32; ++i) d = (d & ~(u64{1} << (pos + i))) | (((a >> i) & 1) << (pos + i));
    return d;
  });
  for (Case* c : {&bfe_u, &bfe_s, &bfi}) c->kind = Kind::kShift;
  const auto lop = [](u64 a, u64 b, u64 c, unsigned table) {
    u64 d = 0;
    for (unsigned i = 0; i < 32; ++i) {
      const unsigned index = static_cast<unsigned>(((a >> i) & 1) << 2 | ((b >> i) & 1) << 1 | ((c >> i) & 1));
      d |= static_cast<u64>((table >> index) & 1) << i;
    }
    return d;
  };
  Case shl = i32("shl.b32 %d, %a, %b;", [](u64 a, u64 b, u64) { return b > 31 ? 0 : a << b; });
  Case shr_u = i32("shr.u32 %d, %a, %b;", [](u64 a, u64 b, u64) { return b > 31 ? 0 : a >> b; });
  Case shr_s =
      i32("shr.s32 %d, %a, %b;", [](u64 a, u64 b, u64) { return static_cast<u64>(s32(a) >> std::min<u64>(b, 31)); });
  Case shl64 = {"shl.b64 %d, %a, %b;",
                "b64",
                "b64",
                "b32",
                "b32",
                Kind::kShift,
                [](u64 a, u64 b, u64) { return b > 63 ? 0 : a << b; }};
  Case shr64 = {"shr.s64 %d, %a, %b;", "b64", "b64", "b32", "b32", Kind::kShift, [](u64 a, u64 b, u64) {
                  return static_cast<u64>(s64(a) >> std::min<u64>(b, 63));
                }};
  Case shl16 = {"shl.b16 %d, %a, %b;",
                "b16",
                "b16",
                "b32",
                "b32",
                Kind::kShift,
                [](u64 a, u64 b, u64) { return b > 15 ? 0 : a << b; }};
  Case shr16 = {"shr.u16 %d, %a, %b;",
                "b16",
                "b16",
                "b32",
                "b32",
                Kind::kShift,
                [](u64 a, u64 b, u64) { return b > 15 ? 0 : a >> b; }};
  Case shf_l =
      i32("shf.l.wrap.b32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return ((b << 32 | a) << (c & 31)) >> 32; });
  Case shf_r =
      i32("shf.r.clamp.b32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return (b << 32 | a) >> std::min<u64>(c, 32); });
  for (Case* c : {&shl, &shr_u, &shr_s, &shf_l, &shf_r}) c->kind = Kind::kShift;
  check_all({
      bfe_u,
      bfe_s,
      bfi,
      shl,
      shr_u,
      shr_s,
      shl64,
      shr64,
      shl16,
      shr16,
      shf_l,
      shf_r,
      i32("and.b32 %d, %a, %b;", [](u64 a, u64 b, u64) { return a & b; }),
      i64("xor.b64 %d, %a, %b;", [](u64 a, u64 b, u64) { return a ^ b; }),
      i16("or.b16 %d, %a, %b;", [](u64 a, u64 b, u64) { return a | b; }),
      i32("not.b32 %d, %a;", [](u64 a, u64, u64) { return ~a; }),
      i32("cnot.b32 %d, %a;", [](u64 a, u64, u64) { return u64{a == 0}; }),
      i32("lop3.b32 %d, %a, %b, %c, 0x96;", [=](u64 a, u64 b, u64 c) { return lop(a, b, c, 0x96); }),
      i32("lop3.b32 %d, %a, %b, %c, 0xE2;", [=](u64 a, u64 b, u64 c) { return lop(a, b, c, 0xE2); }),
      i32("popc.b32 %d, %a;", [](u64 a, u64, u64) { return static_cast<u64>(std::popcount(u32(a))); }),
      {"popc.b64 %d, %a;", "b32", "b64", "b32", "b32", Kind::kInt,
       [](u64 a, u64, u64) { return static_cast<u64>(std::popcount(a)); }},
      i32("clz.b32 %d, %a;", [](u64 a, u64, u64) { return static_cast<u64>(std::countl_zero(u32(a))); }),
      i32("brev.b32 %d, %a;",
          [](u64 a, u64, u64) {
            u64 r = 0;
            for (int i = 0; i < 32; ++i) r |= ((a >> i) & 1) << (31 - i);
            return r;
          }),
      i32("bfind.u32 %d, %a;", [](u64 a, u64, u64) { return static_cast<u64>(31 - std::countl_zero(u32(a))); }),
      i32("bfind.s32 %d, %a;",
          [](u64 a, u64, u64) { return static_cast<u64>(31 - std::countl_zero(u32(s32(a) < 0 ? ~a : a))); }),
      i32("prmt.b32 %d, %a, %b, %c;",
          [](u64 a, u64 b, u64 c) {
            u64 d = 0;
            for (int i = 0; i < 4; ++i) {
              const u64 s = (c >> (4 * i)) & 15;
              u64 byte = ((b << 32 | a) >> (8 * (s & 7))) & 0xFF;
              if (s & 8) byte = byte & 0x80 ? 0xFF : 0;
              d |= byte << (8 * i);
            }
            return d;
          }),
      i32("dp4a.s32.u32 %d, %a, %b, %c;",
          [](u64 a, u64 b, u64 c) {
            for (int i = 0; i < 4; ++i)
              c += static_cast<u64>(static_cast<int8_t>(a >> (8 * i)) *
                                    static_cast<int>(static_cast<uint8_t>(b >> (8 * i))));
            return c;
          }),
  });
}

TEST_F(Instruction, CarriesChainThroughTheFlag) {
  const auto wide = [](u64 a, u64 b, u64 c) { return (b << 32 | a) + (u64{u32(a ^ c)} << 32 | c); };
  // 64-bit addition from 32-bit halves: low a + c, high b + (a ^ c) + carry.
  check_all({
      i32("add.cc.u32 %t1, %a, %c; xor.b32 %t2, %a, %c; addc.u32 %d, %b, %t2;",
          [=](u64 a, u64 b, u64 c) { return wide(a, b, c) >> 32; }),
      i32("sub.cc.u32 %t1, %a, %c; subc.u32 %d, %b, 5;",
          [](u64 a, u64 b, u64 c) { return ((b << 32 | a) - (u64{5} << 32 | c)) >> 32; }),
      i32("mad.lo.cc.u32 %t1, %a, %b, %c; madc.hi.u32 %d, %a, %b, 0;",
          [](u64 a, u64 b, u64 c) { return (a * b + c) >> 32; }),
  });
}

TEST_F(Instruction, SelectionAndComparison) {
  const auto sel = [](std::string compare) { return compare + " selp.b32 %d, %a, %c, %p;"; };
  const auto pick = [](bool p, u64 a, u64 c) { return p ? a : c; };
  check_all({
      i32(sel("setp.lt.s32 %p, %a, %b;"), [=](u64 a, u64 b, u64 c) { return pick(s32(a) < s32(b), a, c); }),
      i32(sel("setp.lo.u32 %p, %a, %b;"), [=](u64 a, u64 b, u64 c) { return pick(a < b, a, c); }),
      i32(sel("setp.hs.u32 %p, %a, %b;"), [=](u64 a, u64 b, u64 c) { return pick(a >= b, a, c); }),
      i32(sel("setp.eq.b32 %p, %a, 0;"), [=](u64 a, u64, u64 c) { return pick(a == 0, a, c); }),
      i32(sel("setp.gt.s32 %q, %c, 0; setp.ne.and.s32 %p, %a, %b, %q;"),
          [=](u64 a, u64 b, u64 c) { return pick(a != b && s32(c) > 0, a, c); }),
      i32(sel("setp.gt.s32 %q, %c, 0; setp.ge.xor.u32 %p, %a, %b, !%q;"),
          [=](u64 a, u64 b, u64 c) { return pick((a >= b) != !(s32(c) > 0), a, c); }),
      i32("setp.lt.s32 %p|%q, %a, %b; selp.b32 %d, %a, %b, %q;",
          [=](u64 a, u64 b, u64) { return pick(!(s32(a) < s32(b)), a, b); }),
      i32("set.gt.u32.s32 %d, %a, %b;", [](u64 a, u64 b, u64) { return s32(a) > s32(b) ? u64{0xFFFFFFFF} : 0; }),
      i32("set.le.f32.u32 %d, %a, %b;", [](u64 a, u64 b, u64) { return a <= b ? u64{0x3F800000} : 0; }),
      i32("slct.b32.s32 %d, %a, %b, %c;", [=](u64 a, u64 b, u64 c) { return pick(s32(c) >= 0, a, b); }),
      i32("setp.lt.s32 %p, %a, 0; setp.lt.s32 %q, %b, 0; xor.pred %p, %p, %q; not.pred %p, %p; selp.b32 %d, 1, 0, %p;",
          [](u64 a, u64 b, u64) { return u64{(s32(a) < 0) == (s32(b) < 0)}; }),
      r32(sel("setp.lt.f32 %p, %a, %b;"), [=](u64 a, u64 b, u64 c) { return pick(f32(a) < f32(b), a, c); }),
      r32(sel("setp.neu.f32 %p, %a, %b;"), [=](u64 a, u64 b, u64 c) { return pick(!(f32(a) == f32(b)), a, c); }),
      r32(sel("setp.ne.f32 %p, %a, %b;"),
          [=](u64 a, u64 b, u64 c) { return pick(f32(a) < f32(b) || f32(a) > f32(b), a, c); }),
      r32(sel("setp.leu.f32 %p, %a, %b;"), [=](u64 a, u64 b, u64 c) { return pick(!(f32(a) > f32(b)), a, c); }),
      r32(sel("setp.num.f32 %p, %a, %b;"),
          [=](u64 a, u64 b, u64 c) { return pick(f32(a) == f32(a) && f32(b) == f32(b), a, c); }),
      r32(sel("testp.subnormal.f32 %p, %a;"),
          [=](u64 a, u64, u64 c) { return pick(std::fpclassify(f32(a)) == FP_SUBNORMAL, a, c); }),
      r32(sel("setp.eq.ftz.f32 %p, %a, 0f00000000;"),
          [=](u64 a, u64, u64 c) { return pick(std::fabs(f32(a)) < std::numeric_limits<float>::min(), a, c); }),
  });
}

float in_mode(int mode, const std::function<float()>& f) {
  std::fesetround(mode);
  volatile float r = f();
  std::fesetround(FE_TONEAREST);
  return r;
}
// Operands through volatile, so that the host compiler cannot fold or move the operation.
float add_f(float a, float b) {
  volatile float x = a, y = b;
  return x + y;
}
float mul_f(float a, float b) {
  volatile float x = a, y = b;
  return x * y;
}
float div_f(float a, float b) {
  volatile float x = a, y = b;
  return x / y;
}
float flushed(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v; }

TEST_F(Instruction, FloatArithmeticIsBitExact) {
  const auto minimum = [](float a, float b) {
    return a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? a : b) : std::min(a, b);
  };
  check_all({
      r32("add.rn.f32 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(add_f(f32(a), f32(b))); }),
      r32("add.f32 %d, %a, 0f3FC00000;", [](u64 a, u64, u64) { return bits(add_f(f32(a), 1.5f)); }),
      r32("sub.f32 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(add_f(f32(a), -f32(b))); }),
      r32("mul.rn.f32 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(mul_f(f32(a), f32(b))); }),
      r32("add.rz.f32 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return bits(in_mode(FE_TOWARDZERO, [&] { return add_f(f32(a), f32(b)); })); }),
      r32("mul.rm.f32 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return bits(in_mode(FE_DOWNWARD, [&] { return mul_f(f32(a), f32(b)); })); }),
      r32("div.rp.f32 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return bits(in_mode(FE_UPWARD, [&] { return div_f(f32(a), f32(b)); })); }),
      r32("fma.rn.f32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return bits(std::fma(f32(a), f32(b), f32(c))); }),
      r32("mad.rn.f32 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return bits(std::fma(f32(a), f32(b), f32(c))); }),
      r32("div.rn.f32 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(div_f(f32(a), f32(b))); }),
      r32("sqrt.rn.f32 %d, %a;", [](u64 a, u64, u64) { return bits(std::sqrt(f32(a))); }),
      r32("rcp.rn.f32 %d, %a;", [](u64 a, u64, u64) { return bits(div_f(1.0f, f32(a))); }),
      r32("add.ftz.f32 %d, %a, %b;",
          [](u64 a, u64 b, u64) { return bits(flushed(add_f(flushed(f32(a)), flushed(f32(b))))); }),
      r32("add.sat.f32 %d, %a, %b;",
          [](u64 a, u64 b, u64) {
            const float r = add_f(f32(a), f32(b));
            return bits(r > 0 ? std::min(r, 1.0f) : 0.0f);
          }),
      r32("neg.f32 %d, %a;", [](u64 a, u64, u64) { return a ^ 0x80000000; }),
      r32("abs.f32 %d, %a;", [](u64 a, u64, u64) { return a & 0x7FFFFFFF; }),
      r32("copysign.f32 %d, %a, %b;", [](u64 a, u64 b, u64) { return (a & 0x80000000) | (b & 0x7FFFFFFF); }),
      r32("min.f32 %d, %a, %b;", [=](u64 a, u64 b, u64) { return bits(minimum(f32(a), f32(b))); }),
      r32("max.f32 %d, %a, %b;", [=](u64 a, u64 b, u64) { return bits(-minimum(-f32(a), -f32(b))); }),
      r32("min.NaN.f32 %d, %a, %b;",
          [=](u64 a, u64 b, u64) {
            return f32(a) != f32(a) || f32(b) != f32(b) ? u64{0x7FFFFFFF} : bits(minimum(f32(a), f32(b)));
          }),
      r64("add.rn.f64 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(f64(a) + f64(b)); }),
      r64("mul.f64 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(f64(a) * f64(b)); }),
      r64("fma.rn.f64 %d, %a, %b, %c;", [](u64 a, u64 b, u64 c) { return bits(std::fma(f64(a), f64(b), f64(c))); }),
      r64("div.rn.f64 %d, %a, %b;", [](u64 a, u64 b, u64) { return bits(f64(a) / f64(b)); }),
  });
}

TEST_F(Instruction, ApproximationsAreWithinTheirBounds) {
  const auto real = [](std::string op, double (*f)(double)) {
    return r32(
        op + " %d, %a;", [f](u64 a, u64, u64) { return bits(static_cast<float>(f(f32(a)))); }, 2);
  };
  check_all({
      real(
          "ex2.approx.f32", +[](double v) { return std::exp2(v); }),
      real(
          "lg2.approx.f32", +[](double v) { return std::log2(v); }),
      real(
          "rsqrt.approx.f32", +[](double v) { return 1 / std::sqrt(v); }),
      real(
          "sqrt.approx.f32", +[](double v) { return std::sqrt(v); }),
      real(
          "rcp.approx.f32", +[](double v) { return 1 / v; }),
      real(
          "tanh.approx.f32", +[](double v) { return std::tanh(v); }),
      real(
          "sin.approx.f32", +[](double v) { return std::sin(v); }),
      real(
          "cos.approx.f32", +[](double v) { return std::cos(v); }),
  });
}

// Reference for the narrow formats: search for the nearest code, ties to even.
double decode_small(unsigned code, int mantissa, int bias) {
  const unsigned e = code >> mantissa, m = code & ((1u << mantissa) - 1);
  return e == 0 ? std::ldexp(m, 1 - bias - mantissa)
                : std::ldexp((1u << mantissa) + m, static_cast<int>(e) - bias - mantissa);
}
u64 encode_small(double v, int mantissa, int bias, unsigned max, bool clamp, unsigned beyond, unsigned nan,
                 unsigned sign) {
  if (v != v) return nan;
  const u64 s = std::signbit(v) ? sign : 0;
  v = std::fabs(v);
  const double top = decode_small(max, mantissa, bias), step = top - decode_small(max - 1, mantissa, bias);
  if (v >= top + step / 2) return s | (clamp ? max : beyond);
  unsigned low = 0, high = max;
  while (low < high) {
    const unsigned middle = (low + high + 1) / 2;
    (decode_small(middle, mantissa, bias) <= v ? low : high) =
        decode_small(middle, mantissa, bias) <= v ? middle : middle - 1;
  }
  if (low == max) return s | max;
  const double below = v - decode_small(low, mantissa, bias), above = decode_small(low + 1, mantissa, bias) - v;
  return s | (below < above || (below == above && low % 2 == 0) ? low : low + 1);
}
u64 half_of(double v) { return encode_small(v, 10, 15, 0x7BFF, false, 0x7C00, 0x7FFF, 0x8000); }
u64 bfloat_of(double v) { return encode_small(v, 7, 127, 0x7F7F, false, 0x7F80, 0x7FFF, 0x8000); }
double from_half(u64 h) {
  const double v = (h & 0x7FFF) > 0x7C00 ? NAN : (h & 0x7FFF) == 0x7C00 ? INFINITY : decode_small(h & 0x7FFF, 10, 15);
  return h & 0x8000 ? -v : v;
}

TEST_F(Instruction, ConversionsRoundAndClamp) {
  const auto to_int = [](double v, double low, double high) { return v != v ? 0.0 : std::clamp(v, low, high); };
  const auto c = [](std::string ptx, std::string d, std::string a, Kind kind, Oracle f) {
    return Case{std::move(ptx), std::move(d), std::move(a), "b32", "b32", kind, std::move(f)};
  };
  check_all({
      c("cvt.u64.u32 %d, %a;", "b64", "b32", Kind::kInt, [](u64 a, u64, u64) { return a; }),
      c("cvt.s64.s32 %d, %a;", "b64", "b32", Kind::kInt,
        [](u64 a, u64, u64) { return static_cast<u64>(int64_t{s32(a)}); }),
      c("cvt.u32.u64 %d, %a;", "b32", "b64", Kind::kInt, [](u64 a, u64, u64) { return a; }),
      c("cvt.s32.s8 %d, %a;", "b32", "b32", Kind::kInt,
        [](u64 a, u64, u64) { return static_cast<u64>(int64_t{static_cast<int8_t>(a)}); }),
      c("cvt.u16.u32 %d, %a;", "b16", "b32", Kind::kInt, [](u64 a, u64, u64) { return a; }),
      c("cvt.s64.s16 %d, %a;", "b64", "b16", Kind::kInt,
        [](u64 a, u64, u64) { return static_cast<u64>(int64_t{s16(a)}); }),
      c("cvt.s8.s32 %d, %a;", "b32", "b32", Kind::kInt,
        [](u64 a, u64, u64) { return static_cast<u64>(int64_t{static_cast<int8_t>(a)}); }),
      c("cvt.sat.u8.s32 %d, %a;", "b32", "b32", Kind::kInt,
        [](u64 a, u64, u64) { return static_cast<u64>(std::clamp(s32(a), 0, 255)); }),
      c("cvt.sat.s32.s64 %d, %a;", "b32", "b64", Kind::kInt,
        [](u64 a, u64, u64) { return static_cast<u64>(std::clamp<int64_t>(s64(a), INT32_MIN, INT32_MAX)); }),
      c("cvt.rn.f32.s32 %d, %a;", "b32", "b32", Kind::kInt,
        [](u64 a, u64, u64) { return bits(static_cast<float>(s32(a))); }),
      c("cvt.rn.f32.u32 %d, %a;", "b32", "b32", Kind::kInt,
        [](u64 a, u64, u64) { return bits(static_cast<float>(u32(a))); }),
      c("cvt.rn.f32.u64 %d, %a;", "b32", "b64", Kind::kInt,
        [](u64 a, u64, u64) { return bits(static_cast<float>(a)); }),
      c("cvt.rz.f32.s64 %d, %a;", "b32", "b64", Kind::kInt,
        [](u64 a, u64, u64) {
          return bits(in_mode(FE_TOWARDZERO, [&] {
            volatile int64_t v = s64(a);
            return static_cast<float>(v);
          }));
        }),
      c("cvt.rn.f64.s64 %d, %a;", "b64", "b64", Kind::kInt,
        [](u64 a, u64, u64) { return bits(static_cast<double>(s64(a))); }),
      c("cvt.rzi.s32.f32 %d, %a;", "b32", "b32", Kind::kF32,
        [=](u64 a, u64, u64) {
          return static_cast<u64>(static_cast<int64_t>(to_int(std::trunc(f32(a)), INT32_MIN, INT32_MAX)));
        }),
      c("cvt.rni.u32.f32 %d, %a;", "b32", "b32", Kind::kF32,
        [=](u64 a, u64, u64) { return static_cast<u64>(to_int(std::nearbyint(f32(a)), 0, UINT32_MAX)); }),
      c("cvt.rmi.s64.f32 %d, %a;", "b64", "b32", Kind::kF32,
        [](u64 a, u64, u64) {
          const double v = std::floor(f32(a));
          return v != v         ? u64{1} << 63
                 : v >= 0x1p63  ? static_cast<u64>(INT64_MAX)
                 : v <= -0x1p63 ? u64{1} << 63
                                : static_cast<u64>(static_cast<int64_t>(v));
        }),
      c("cvt.rpi.f32.f32 %d, %a;", "b32", "b32", Kind::kF32, [](u64 a, u64, u64) { return bits(std::ceil(f32(a))); }),
      c("cvt.sat.f32.f32 %d, %a;", "b32", "b32", Kind::kF32,
        [](u64 a, u64, u64) { return bits(f32(a) > 0 ? std::min(f32(a), 1.0f) : 0.0f); }),
      c("cvt.f64.f32 %d, %a;", "b64", "b32", Kind::kF32,
        [](u64 a, u64, u64) { return std::isnan(f32(a)) ? bits(double{f32(a)}) : bits(double{f32(a)}); }),
      c("cvt.rn.f32.f64 %d, %a;", "b32", "b64", Kind::kF64,
        [](u64 a, u64, u64) { return bits(static_cast<float>(f64(a))); }),
      c("cvt.rp.f32.f64 %d, %a;", "b32", "b64", Kind::kF64,
        [](u64 a, u64, u64) {
          return bits(in_mode(FE_UPWARD, [&] {
            volatile double v = f64(a);
            return static_cast<float>(v);
          }));
        }),
      c("cvt.rzi.s32.f64 %d, %a;", "b32", "b64", Kind::kF64,
        [=](u64 a, u64, u64) {
          return f64(a) != f64(a)
                     ? u64{1} << 31
                     : static_cast<u64>(static_cast<int64_t>(to_int(std::trunc(f64(a)), INT32_MIN, INT32_MAX)));
        }),
      c("cvt.rn.f16.f32 %d, %a;", "b16", "b32", Kind::kF32, [](u64 a, u64, u64) { return half_of(f32(a)); }),
      c("cvt.rn.bf16.f32 %d, %a;", "b16", "b32", Kind::kF32, [](u64 a, u64, u64) { return bfloat_of(f32(a)); }),
      c("cvt.f32.f16 %d, %a;", "b32", "b16", Kind::kInt,
        [](u64 a, u64, u64) { return std::isnan(from_half(a)) ? 0x7FFFFFFF : bits(static_cast<float>(from_half(a))); }),
      c("cvt.f32.bf16 %d, %a;", "b32", "b16", Kind::kInt, [](u64 a, u64, u64) { return a << 16; }),
      Case{"cvt.rn.bf16x2.f32 %d, %a, %b;", "b32", "b32", "b32", "b32", Kind::kF32,
           [](u64 a, u64 b, u64) { return bfloat_of(f32(a)) << 16 | bfloat_of(f32(b)); }},
      Case{"cvt.rn.f16x2.f32 %d, %a, %b;", "b32", "b32", "b32", "b32", Kind::kF32,
           [](u64 a, u64 b, u64) { return half_of(f32(a)) << 16 | half_of(f32(b)); }},
      Case{"cvt.rn.satfinite.e4m3x2.f32 %d, %a, %b;", "b16", "b32", "b32", "b32", Kind::kF32,
           [](u64 a, u64 b, u64) {
             const auto one = [](float v) { return encode_small(v, 3, 7, 0x7E, true, 0x7E, 0x7F, 0x80); };
             return one(f32(a)) << 8 | one(f32(b));
           }},
      Case{"cvt.rn.f16x2.e5m2x2 %d, %a;", "b32", "b16", "b32", "b32", Kind::kInt,
           [](u64 a, u64, u64) {
             const auto one = [](u64 v) { return (v & 0x7F) > 0x7C ? u64{0x7FFF} : (v & 0xFF) << 8; };
             return one(a >> 8) << 16 | one(a & 0xFF);
           }},
  });
}

TEST_F(Instruction, HalfPrecisionRoundsOnce) {
  const auto h = [](std::string ptx, Oracle f) {
    return Case{std::move(ptx), "b16", "b16", "b16", "b16", Kind::kInt, std::move(f)};
  };
  // The sum of two halves, and the product, are exact in double; so is a·b + c up to 80 bits, where long double serves.
  check_all({
      h("add.rn.f16 %d, %a, %b;", [](u64 a, u64 b, u64) { return half_of(from_half(a) + from_half(b)); }),
      h("mul.rn.f16 %d, %a, %b;", [](u64 a, u64 b, u64) { return half_of(from_half(a) * from_half(b)); }),
      h("sub.rn.bf16 %d, %a, %b;",
        [](u64 a, u64 b, u64) { return bfloat_of(double{f32(a << 16)} - double{f32(b << 16)}); }),
      {"add.rn.f16x2 %d, %a, %b;", "b32", "b32", "b32", "b32", Kind::kInt,
       [](u64 a, u64 b, u64) {
         return half_of(from_half(a >> 16) + from_half(b >> 16)) << 16 |
                half_of(from_half(a & 0xFFFF) + from_half(b & 0xFFFF));
       }},
      h("neg.f16 %d, %a;", [](u64 a, u64, u64) { return a ^ 0x8000; }),
  });
}
TEST_F(Instruction, HalfFmaIsNotRoundedTwice) {
  // 1 + 2^-10 squared plus 2^-24: the exact value lies just above a tie that f32 or a plain f16 product would lose.
  const auto pd = upload(std::vector<u64>(1, 0)), pa = upload(std::vector<u64>{0x3C01}),
             pc = upload(std::vector<u64>{0x0001});
  const Case c{"fma.rn.f16 %d, %a, %b, %c;", "b16", "b16", "b16", "b16", Kind::kInt, nullptr};
  run(load(kernel(c)), {1, 1}, pd, pa, pa, pc);
  const double exact = from_half(0x3C01) * from_half(0x3C01) + from_half(1);
  EXPECT_EQ(download<u64>(pd, 1)[0] & 0xFFFF, half_of(exact));
}

TEST_F(Instruction, PackingOrdersPartsFromLow) {
  check_all({
      {"mov.b64 %d, {%a, %b};", "b64", "b32", "b32", "b32", Kind::kInt, [](u64 a, u64 b, u64) { return b << 32 | a; }},
      {"mov.b64 {%t1, %t2}, %a; xor.b32 %d, %t1, %t2;", "b32", "b64", "b32", "b32", Kind::kInt,
       [](u64 a, u64, u64) { return (a >> 32) ^ a; }},
      {"mov.b32 %d, {%a, %b};", "b32", "b16", "b16", "b16", Kind::kInt, [](u64 a, u64 b, u64) { return b << 16 | a; }},
      {"mov.b32 {%h1, _}, %a; mov.b32 {_, %h2}, %b; mov.b32 %d, {%h1, %h2};", "b32", "b32", "b32", "b32", Kind::kInt,
       [](u64 a, u64 b, u64) { return (b & 0xFFFF0000) | (a & 0xFFFF); }},
      {"mov.b64 {%h1, %h2, %h3, %h4}, %a; mov.b64 %d, {%h4, %h3, %h2, %h1};", "b64", "b64", "b32", "b32", Kind::kInt,
       [](u64 a, u64, u64) {
         return (a & 0xFFFF) << 48 | ((a >> 16) & 0xFFFF) << 32 | ((a >> 32) & 0xFFFF) << 16 | a >> 48;
       }},
  });
}

// A guard must leave the other lanes' destinations alone, for every width.
TEST_F(Instruction, GuardsKeepOldValues) {
  check_all({
      i32("mov.b32 %d, %c; setp.lt.s32 %p, %a, %b; @%p add.s32 %d, %a, %b;",
          [](u64 a, u64 b, u64 c) { return s32(a) < s32(b) ? a + b : c; }),
      i64("mov.b64 %d, %c; setp.lt.s64 %p, %a, %b; @!%p sub.s64 %d, %a, %b;",
          [](u64 a, u64 b, u64 c) { return s64(a) < s64(b) ? c : a - b; }),
      r32("mov.b32 %d, %c; setp.lt.f32 %p, %a, %b; @%p mul.f32 %d, %a, %b;",
          [](u64 a, u64 b, u64 c) { return f32(a) < f32(b) ? bits(mul_f(f32(a), f32(b))) : c; }),
  });
}

}  // namespace
}  // namespace tailor::virtual_device
