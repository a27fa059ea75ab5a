// Floating-point arithmetic and comparison (PTX ISA 9.7.3 – 9.7.5, 9.7.6).
//
// IEEE operations are bit-exact. `.approx` operations, which PTX only bounds, are computed in double and rounded once.
// Op::imm of arithmetic: 0 nearest even, 1 toward zero, 2 down, 3 up. Op::flags: kFtz, kSat.
#include <cfenv>
#include <limits>

#include "runtime/virtual_device/formats.h"

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

// The host's rounding mode for the length of a handler. Operands are read and results stored between two opaque calls,
// so the arithmetic cannot move out.
class RoundingScope {
 public:
  explicit RoundingScope(uint32_t mode) : changed_(mode != 0) {
    constexpr int kModes[4] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    if (changed_) std::fesetround(kModes[mode & 3]);
  }
  ~RoundingScope() {
    if (changed_) std::fesetround(FE_TONEAREST);
  }
  RoundingScope(const RoundingScope&) = delete;
  RoundingScope& operator=(const RoundingScope&) = delete;

 private:
  bool changed_;
};

inline float flush(float v) {
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  return (bits & 0x7F800000u) == 0 ? std::bit_cast<float>(bits & 0x80000000u) : v;
}
inline float canonical(float v) { return v == v ? v : std::bit_cast<float>(0x7FFFFFFFu); }
inline double canonical(double v) { return v; }
template <class T>
inline T saturate(T v) {
  return v > T{0} ? (v < T{1} ? v : T{1}) : T{0};  // NaN gives 0
}
struct Adjust {
  bool ftz, sat;
  explicit Adjust(const Op& op) : ftz(op.flags & kFtz), sat(op.flags & kSat) {}
  float in(float v) const { return ftz ? flush(v) : v; }
  double in(double v) const { return v; }
  float out(float v) const {
    v = ftz ? flush(v) : v;
    return sat ? saturate(v) : canonical(v);
  }
  double out(double v) const { return sat ? saturate(v) : v; }
};

template <class F, class T>
void float_unary(ExecContext& x, const Op& op, uint32_t mask) {
  const RoundingScope scope(op.imm);
  const auto* a = slot<Stored<T>>(x, op.a);
  auto* d = slot<Stored<T>>(x, op.d);
  if (op.flags == 0) return for_lanes<T>(d, mask, [=](uint32_t l) { return canonical(F::f(unpack<T>(a[l]))); });
  const Adjust adjust(op);
  for_lanes<T>(d, mask, [=](uint32_t l) { return adjust.out(F::f(adjust.in(unpack<T>(a[l])))); });
}
template <class F, class T>
void float_binary(ExecContext& x, const Op& op, uint32_t mask) {
  const RoundingScope scope(op.imm);
  const auto* a = slot<Stored<T>>(x, op.a);
  const auto* b = slot<Stored<T>>(x, op.b);
  auto* d = slot<Stored<T>>(x, op.d);
  if (op.flags == 0) {
    return for_lanes<T>(d, mask, [=](uint32_t l) { return canonical(F::f(unpack<T>(a[l]), unpack<T>(b[l]))); });
  }
  const Adjust adjust(op);
  for_lanes<T>(d, mask,
               [=](uint32_t l) { return adjust.out(F::f(adjust.in(unpack<T>(a[l])), adjust.in(unpack<T>(b[l])))); });
}
template <class T>
void float_fma(ExecContext& x, const Op& op, uint32_t mask) {
  const RoundingScope scope(op.imm);
  const auto* a = slot<Stored<T>>(x, op.a);
  const auto* b = slot<Stored<T>>(x, op.b);
  const auto* c = slot<Stored<T>>(x, op.c);
  auto* d = slot<Stored<T>>(x, op.d);
  if (op.flags == 0) {
    return for_lanes<T>(
        d, mask, [=](uint32_t l) { return canonical(std::fma(unpack<T>(a[l]), unpack<T>(b[l]), unpack<T>(c[l]))); });
  }
  const Adjust adjust(op);
  for_lanes<T>(d, mask, [=](uint32_t l) {
    return adjust.out(std::fma(adjust.in(unpack<T>(a[l])), adjust.in(unpack<T>(b[l])), adjust.in(unpack<T>(c[l]))));
  });
}

struct Add {
  template <class T>
  static T f(T a, T b) {
    return a + b;
  }
};
struct Sub {
  template <class T>
  static T f(T a, T b) {
    return a - b;
  }
};
struct Mul {
  template <class T>
  static T f(T a, T b) {
    return a * b;
  }
};
struct Div {
  template <class T>
  static T f(T a, T b) {
    return a / b;
  }
};
struct Sqrt {
  template <class T>
  static T f(T a) {
    return std::sqrt(a);
  }
};
struct Rcp {
  template <class T>
  static T f(T a) {
    return T{1} / a;
  }
};
#define APPROX(Name, expression)         \
  struct Name {                          \
    template <class T>                   \
    static T f(T v) {                    \
      const double a = v;                \
      return static_cast<T>(expression); \
    }                                    \
  };
APPROX(Rsqrt, 1.0 / std::sqrt(a))
APPROX(Sin, std::sin(a))
APPROX(Cos, std::cos(a))
APPROX(Log2, std::log2(a))
APPROX(Exp2, std::exp2(a))
APPROX(Tanh, std::tanh(a))
#undef APPROX

// neg and abs touch the sign only.
template <class T, bool Clear>
void sign_bit(ExecContext& x, const Op& op, uint32_t mask) {
  using U = Stored<T>;
  constexpr U kSign = U{1} << (8 * sizeof(T) - 1);
  const U* a = slot<U>(x, op.a);
  const bool ftz = op.flags & kFtz;
  for_lanes<U>(slot<U>(x, op.d), mask, [=](uint32_t l) {
    U v = a[l];
    if constexpr (sizeof(T) == 4) v = ftz ? std::bit_cast<U>(flush(std::bit_cast<float>(v))) : v;
    return Clear ? v & ~kSign : v ^ kSign;
  });
}
template <class T>
void copy_sign(ExecContext& x, const Op& op, uint32_t mask) {
  using U = Stored<T>;
  constexpr U kSign = U{1} << (8 * sizeof(T) - 1);
  const U* a = slot<U>(x, op.a);
  const U* b = slot<U>(x, op.b);
  for_lanes<U>(slot<U>(x, op.d), mask, [=](uint32_t l) { return (a[l] & kSign) | (b[l] & ~kSign); });
}

// imm bit 0: NaN if either is; bit 1: .xorsign.abs. -0 < +0. Otherwise the operand that is a number wins.
template <bool Max, class T>
inline T extreme(T a, T b, uint32_t imm) {
  bool flip = false;
  if (imm & 2) {
    flip = std::signbit(a) != std::signbit(b);
    a = std::fabs(a);
    b = std::fabs(b);
  }
  T r;
  if (a != a || b != b) {
    r = imm & 1 ? std::numeric_limits<T>::quiet_NaN() : a != a ? b : a;
  } else if (a == b) {
    r = std::signbit(a) == Max ? b : a;
  } else {
    r = (a < b) != Max ? a : b;
  }
  return flip ? -r : r;
}
template <bool Max, class T>
void min_max(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<Stored<T>>(x, op.a);
  const auto* b = slot<Stored<T>>(x, op.b);
  const Adjust adjust(op);
  const uint32_t imm = op.imm;
  for_lanes<T>(slot<Stored<T>>(x, op.d), mask, [=](uint32_t l) {
    return canonical(extreme<Max>(adjust.in(unpack<T>(a[l])), adjust.in(unpack<T>(b[l])), imm));
  });
}

// 16-bit formats, Count values per register. A float has more than twice the precision plus two bits of either format,
// so that rounding twice equals rounding once for + − × (Figueroa); fma needs the exact sum.
template <class H>
struct HalfAdjust {
  bool ftz, sat, relu;
  explicit HalfAdjust(const Op& op) : ftz(op.flags & kFtz), sat(op.flags & kSat), relu(op.imm & 4) {}
  float in(uint16_t v) const {
    constexpr uint16_t kExponent = H::kFormat.over;
    return H::load(ftz && (v & kExponent) == 0 ? v & 0x8000 : v);
  }
  uint16_t out(uint16_t v) const {
    constexpr uint16_t kExponent = H::kFormat.over;
    if (ftz && (v & kExponent) == 0) v &= 0x8000;
    if (sat) v = H::store(saturate(H::load(v)));
    if (relu) v = (v & 0x7FFF) > kExponent ? 0x7FFF : v & 0x8000 ? 0 : v;
    return v;
  }
};
template <int Count, class G>
inline void for_halves(ExecContext& x, const Op& op, uint32_t mask, G g) {
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [&](uint32_t l) {
    uint32_t r = g(l, 0);
    if constexpr (Count == 2) r |= static_cast<uint32_t>(g(l, 16)) << 16;
    return r;
  });
}
template <class F, class H, int Count>
void half_unary(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const HalfAdjust<H> adjust(op);
  for_halves<Count>(x, op, mask, [&](uint32_t l, int shift) {
    return adjust.out(H::store(F::f(adjust.in(static_cast<uint16_t>(a[l] >> shift)))));
  });
}
template <class F, class H, int Count>
void half_binary(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const HalfAdjust<H> adjust(op);
  for_halves<Count>(x, op, mask, [&](uint32_t l, int shift) {
    return adjust.out(H::store(
        F::f(adjust.in(static_cast<uint16_t>(a[l] >> shift)), adjust.in(static_cast<uint16_t>(b[l] >> shift)))));
  });
}
// a·b is exact in double; the sum is rounded to odd (its last bit records inexactness), then once to the format.
template <class H>
inline uint16_t half_fma(float a, float b, float c) {
  const double p = static_cast<double>(a) * b;
  const double z = c;
  double s = p + z;
  if (std::isfinite(s)) {
    const double t = s - p;
    const double rest = (p - (s - t)) + (z - t);  // TwoSum: s + rest == p + z exactly
    if (rest != 0) {
      uint64_t bits = std::bit_cast<uint64_t>(s);
      if ((bits & 1) == 0) bits += (rest > 0) == (s > 0) ? 1 : -1;
      s = std::bit_cast<double>(bits);
    }
  }
  return static_cast<uint16_t>(encode(s, H::kFormat, Rounding::kNearestEven));
}
template <class H, int Count>
void half_fma_lanes(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const uint32_t* c = slot<uint32_t>(x, op.c);
  const HalfAdjust<H> adjust(op);
  for_halves<Count>(x, op, mask, [&](uint32_t l, int shift) {
    return adjust.out(half_fma<H>(adjust.in(static_cast<uint16_t>(a[l] >> shift)),
                                  adjust.in(static_cast<uint16_t>(b[l] >> shift)),
                                  adjust.in(static_cast<uint16_t>(c[l] >> shift))));
  });
}
template <bool Max, class H, int Count>
void half_min_max(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const HalfAdjust<H> adjust(op);
  for_halves<Count>(x, op, mask, [&](uint32_t l, int shift) {
    return H::store(extreme<Max>(adjust.in(static_cast<uint16_t>(a[l] >> shift)),
                                 adjust.in(static_cast<uint16_t>(b[l] >> shift)), op.imm));
  });
}
template <bool Clear, int Count>
void half_sign(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  constexpr uint32_t kSigns = Count == 2 ? 0x80008000u : 0x8000u;
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask,
                      [=](uint32_t l) { return Clear ? a[l] & ~kSigns : a[l] ^ kSigns; });
}

// Ordered comparisons are false, unordered ones (…u) true, when either is NaN.
#define COMPARE(Name, expression) \
  struct Name {                   \
    template <class T>            \
    static bool f(T a, T b) {     \
      return expression;          \
    }                             \
  };
COMPARE(Eq, a == b)
COMPARE(Ne, a<b || a> b)
COMPARE(Lt, a < b)
COMPARE(Le, a <= b)
COMPARE(Gt, a > b)
COMPARE(Ge, a >= b)
COMPARE(Equ, !(a < b || a > b))
COMPARE(Neu, !(a == b))
COMPARE(Ltu, !(a >= b))
COMPARE(Leu, !(a > b))
COMPARE(Gtu, !(a <= b))
COMPARE(Geu, !(a < b))
COMPARE(Num, a == a && b == b)
COMPARE(Nan, !(a == a && b == b))
#undef COMPARE

template <class F>
inline uint32_t compare_f32(const ExecContext& x, const Op& op) {
  if (!(op.flags & kFtz)) return compare<F, float>(x, op);
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  return lane_mask([=](uint32_t l) { return F::f(flush(unpack<float>(a[l])), flush(unpack<float>(b[l]))); });
}
template <class F>
void setp_f32(ExecContext& x, const Op& op, uint32_t mask) {
  write_setp(x, op, mask, compare_f32<F>(x, op));
}
template <class F>
void set_f32(ExecContext& x, const Op& op, uint32_t mask) {
  write_set(x, op, mask, compare_f32<F>(x, op));
}
template <class F, class H>
void setp_half(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const HalfAdjust<H> adjust(op);
  write_setp(x, op, mask, lane_mask([&](uint32_t l) {
               return F::f(adjust.in(static_cast<uint16_t>(a[l])), adjust.in(static_cast<uint16_t>(b[l])));
             }));
}
// Two comparisons: p from the low halves, q (aux[0]) from the high ones.
template <class F, class H>
void setp_half2(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const HalfAdjust<H> adjust(op);
  const auto at = [&](int shift) {
    return lane_mask([&, shift](uint32_t l) {
      return F::f(adjust.in(static_cast<uint16_t>(a[l] >> shift)), adjust.in(static_cast<uint16_t>(b[l] >> shift)));
    });
  };
  const uint32_t low = combine(x, op, at(0)), high = combine(x, op, at(16));
  set_predicate(x, op.d, mask, low);
  set_predicate(x, x.function->aux[op.aux], mask, high);
}

// imm: 0 finite, 1 infinite, 2 number, 3 notanumber, 4 normal, 5 subnormal.
template <class T>
void testp(ExecContext& x, const Op& op, uint32_t mask) {
  const auto* a = slot<Stored<T>>(x, op.a);
  const uint32_t r = lane_mask([&](uint32_t l) {
    const int kind = std::fpclassify(unpack<T>(a[l]));
    switch (op.imm) {
      case 0:
        return kind != FP_INFINITE && kind != FP_NAN;
      case 1:
        return kind == FP_INFINITE;
      case 2:
        return kind != FP_NAN;
      case 3:
        return kind == FP_NAN;
      case 4:
        return kind == FP_NORMAL;
      default:
        return kind == FP_SUBNORMAL;
    }
  });
  set_predicate(x, op.d, mask, r);
}

#define REAL1(name, F) \
  {name ".f32", float_unary<F, float>}, { name ".f64", float_unary<F, double> }
#define REAL2(name, F) \
  {name ".f32", float_binary<F, float>}, { name ".f64", float_binary<F, double> }
#define HALF1(name, F)                                                          \
  {name ".f16", half_unary<F, F16, 1>}, {name ".f16x2", half_unary<F, F16, 2>}, \
      {name ".bf16", half_unary<F, BF16, 1>}, {                                 \
    name ".bf16x2", half_unary<F, BF16, 2>                                      \
  }
#define HALF2(name, F)                                                            \
  {name ".f16", half_binary<F, F16, 1>}, {name ".f16x2", half_binary<F, F16, 2>}, \
      {name ".bf16", half_binary<F, BF16, 1>}, {                                  \
    name ".bf16x2", half_binary<F, BF16, 2>                                       \
  }
#define HALF_EXTREME(name, Max)                                                         \
  {name ".f16", half_min_max<Max, F16, 1>}, {name ".f16x2", half_min_max<Max, F16, 2>}, \
      {name ".bf16", half_min_max<Max, BF16, 1>}, {                                     \
    name ".bf16x2", half_min_max<Max, BF16, 2>                                          \
  }
#define HALF_SIGN(name, Clear)                                                                                     \
  {name ".f16", half_sign<Clear, 1>}, {name ".f16x2", half_sign<Clear, 2>}, {name ".bf16", half_sign<Clear, 1>}, { \
    name ".bf16x2", half_sign<Clear, 2>                                                                            \
  }
#define COMPARE_ROWS(text, F)                                                                                   \
  {"setp." text ".f32", setp_f32<F>}, {"set." text ".f32", set_f32<F>}, {"setp." text ".f64", setp<F, double>}, \
      {"set." text ".f64", set<F, double>}, {"setp." text ".f16", setp_half<F, F16>},                           \
      {"setp." text ".bf16", setp_half<F, BF16>}, {"setp." text ".f16x2", setp_half2<F, F16>}, {                \
    "setp." text ".bf16x2", setp_half2<F, BF16>                                                                 \
  }

const LaneEntry kEntries[] = {
    REAL2("add", Add),
    REAL2("sub", Sub),
    REAL2("mul", Mul),
    REAL2("div", Div),
    REAL1("sqrt", Sqrt),
    REAL1("rcp", Rcp),
    REAL1("rsqrt", Rsqrt),
    {"sin.f32", float_unary<Sin, float>},
    {"cos.f32", float_unary<Cos, float>},
    {"lg2.f32", float_unary<Log2, float>},
    {"ex2.f32", float_unary<Exp2, float>},
    {"tanh.f32", float_unary<Tanh, float>},
    {"fma.f32", float_fma<float>},
    {"fma.f64", float_fma<double>},
    {"neg.f32", sign_bit<float, false>},
    {"neg.f64", sign_bit<double, false>},
    {"abs.f32", sign_bit<float, true>},
    {"abs.f64", sign_bit<double, true>},
    {"copysign.f32", copy_sign<float>},
    {"copysign.f64", copy_sign<double>},
    {"min.f32", min_max<false, float>},
    {"min.f64", min_max<false, double>},
    {"max.f32", min_max<true, float>},
    {"max.f64", min_max<true, double>},
    {"testp.f32", testp<float>},
    {"testp.f64", testp<double>},
    HALF2("add", Add),
    HALF2("sub", Sub),
    HALF2("mul", Mul),
    HALF1("ex2", Exp2),
    HALF1("tanh", Tanh),
    HALF_EXTREME("min", false),
    HALF_EXTREME("max", true),
    HALF_SIGN("neg", false),
    HALF_SIGN("abs", true),
    {"fma.f16", half_fma_lanes<F16, 1>},
    {"fma.f16x2", half_fma_lanes<F16, 2>},
    {"fma.bf16", half_fma_lanes<BF16, 1>},
    {"fma.bf16x2", half_fma_lanes<BF16, 2>},
    COMPARE_ROWS("eq", Eq),
    COMPARE_ROWS("ne", Ne),
    COMPARE_ROWS("lt", Lt),
    COMPARE_ROWS("le", Le),
    COMPARE_ROWS("gt", Gt),
    COMPARE_ROWS("ge", Ge),
    COMPARE_ROWS("equ", Equ),
    COMPARE_ROWS("neu", Neu),
    COMPARE_ROWS("ltu", Ltu),
    COMPARE_ROWS("leu", Leu),
    COMPARE_ROWS("gtu", Gtu),
    COMPARE_ROWS("geu", Geu),
    COMPARE_ROWS("num", Num),
    COMPARE_ROWS("nan", Nan),
};

}  // namespace

extern const LaneEntries float_entries;
const LaneEntries float_entries = {kEntries, sizeof(kEntries) / sizeof(kEntries[0])};

}  // namespace tailor::virtual_device::TAILOR_LANES
