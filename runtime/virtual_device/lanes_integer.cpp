// Integer arithmetic, logic, shifts, comparison, selection and moves (PTX ISA 9.7.1, 9.7.2, 9.7.6 – 9.7.9.6).
#include "runtime/virtual_device/lanes.h"

namespace tailor::virtual_device::TAILOR_LANES {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
using Wide =
    std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
                       std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                                          std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

// Two-operand functions. Wrapping arithmetic is done unsigned; 16-bit values are widened first, since C++ would promote
// them to int.
template <class T>
inline T wrap_add(T a, T b) {
  return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
template <class T>
inline T wrap_sub(T a, T b) {
  return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
template <class T>
inline T wrap_mul(T a, T b) {
  if constexpr (sizeof(T) == 8) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  return static_cast<T>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

#define BINARY(Name, expression)                                \
  template <class T>                                            \
  struct Name {                                                 \
    static T f(T a, T b) { return static_cast<T>(expression); } \
  };
BINARY(Add, wrap_add(a, b))
BINARY(Sub, wrap_sub(a, b))
BINARY(MulLo, wrap_mul(a, b))
BINARY(And, a& b)
BINARY(Or, a | b)
BINARY(Xor, a ^ b)
BINARY(Min, a < b ? a : b)
BINARY(Max, a > b ? a : b)
#undef BINARY

template <class T>
struct MulHi {
  static T f(T a, T b) {
    return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >> (8 * sizeof(T)));
  }
};
template <class T>
struct MulWide {
  static Wide<T> f(T a, T b) { return static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b); }
};
// The quotient by zero is unspecified by PTX; all ones is what NVIDIA's software division gives. The remainder is a.
template <class T>
struct Div {
  static T f(T a, T b) {
    if (b == 0) return static_cast<T>(~T{0});
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return wrap_sub(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
};
template <class T>
struct Rem {
  static T f(T a, T b) {
    if (b == 0) return a;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return static_cast<T>(a % b);
  }
};
template <class T>
struct SatAdd {
  static T f(T a, T b) {
    const int64_t r = int64_t{a} + b;
    return static_cast<T>(r > INT32_MAX ? INT32_MAX : r < INT32_MIN ? INT32_MIN : r);
  }
};
template <class T>
struct SatSub {
  static T f(T a, T b) {
    const int64_t r = int64_t{a} - b;
    return static_cast<T>(r > INT32_MAX ? INT32_MAX : r < INT32_MIN ? INT32_MIN : r);
  }
};
// Shift amounts beyond the width give 0, or the sign.
template <class T>
struct Shl {
  static T f(T a, uint32_t n) { return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<uint64_t>(a) << n); }
};
template <class T>
struct Shr {
  static T f(T a, uint32_t n) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    if constexpr (std::is_signed_v<T>) return static_cast<T>(a >> (n >= kBits ? kBits - 1 : n));
    return n >= kBits ? T{0} : static_cast<T>(a >> (n & (kBits - 1)));
  }
};
template <class T>
struct Mul24Lo {
  static T f(T a, T b) { return static_cast<T>(Mul24Product(a, b)); }
  static int64_t Mul24Product(T a, T b) { return Sign24(a) * Sign24(b); }
  static int64_t Sign24(T v) {
    if constexpr (std::is_signed_v<T>) return static_cast<int32_t>(static_cast<uint32_t>(v) << 8) >> 8;
    return v & 0xFFFFFF;
  }
};
template <class T>
struct Mul24Hi {
  static T f(T a, T b) { return static_cast<T>(static_cast<uint64_t>(Mul24Lo<T>::Mul24Product(a, b)) >> 16); }
};

// One operand.
#define UNARY(Name, expression)                            \
  template <class T>                                       \
  struct Name {                                            \
    static T f(T a) { return static_cast<T>(expression); } \
  };
UNARY(Neg, wrap_sub(T{0}, a))
UNARY(Abs, a < 0 ? wrap_sub(T{0}, a) : a)
UNARY(Not, ~a)
UNARY(Cnot, a == 0)
UNARY(Move, a)
#undef UNARY
template <class T>
struct Popc {
  static uint32_t f(T a) { return static_cast<uint32_t>(std::popcount(a)); }
};
template <class T>
struct Clz {
  static uint32_t f(T a) { return static_cast<uint32_t>(std::countl_zero(a)); }
};
// Position of the highest bit that differs from the sign; ~0 when there is none.
template <class T>
struct Bfind {
  static uint32_t f(T a) {
    const auto u = static_cast<Unsigned<T>>(std::is_signed_v<T> && a < 0 ? ~a : a);
    return u == 0 ? ~0u : static_cast<uint32_t>(8 * sizeof(T) - 1 - std::countl_zero(u));
  }
};
template <class T>
struct BfindShift {
  static uint32_t f(T a) {
    const auto u = static_cast<Unsigned<T>>(std::is_signed_v<T> && a < 0 ? ~a : a);
    return u == 0 ? ~0u : static_cast<uint32_t>(std::countl_zero(u));
  }
};
inline uint32_t reverse32(uint32_t v) {
  v = ((v >> 1) & 0x55555555u) | ((v & 0x55555555u) << 1);
  v = ((v >> 2) & 0x33333333u) | ((v & 0x33333333u) << 2);
  v = ((v >> 4) & 0x0F0F0F0Fu) | ((v & 0x0F0F0F0Fu) << 4);
  return __builtin_bswap32(v);
}
struct Brev32 {
  static uint32_t f(uint32_t a) { return reverse32(a); }
};
struct Brev64 {
  static uint64_t f(uint64_t a) {
    return (uint64_t{reverse32(static_cast<uint32_t>(a))} << 32) | reverse32(static_cast<uint32_t>(a >> 32));
  }
};

// Three operands.
template <class T>
struct MadLo {
  static T f(T a, T b, T c) { return wrap_add(wrap_mul(a, b), c); }
};
template <class T>
struct MadHi {
  static T f(T a, T b, T c) { return wrap_add(MulHi<T>::f(a, b), c); }
};
template <class T>
struct MadWide {
  static Wide<T> f(T a, T b, Wide<T> c) { return wrap_add(MulWide<T>::f(a, b), c); }
};
struct MadHiSat {
  static int32_t f(int32_t a, int32_t b, int32_t c) { return SatAdd<int32_t>::f(MulHi<int32_t>::f(a, b), c); }
};
template <class T>
struct Mad24Lo {
  static T f(T a, T b, T c) { return wrap_add(Mul24Lo<T>::f(a, b), c); }
};
template <class T>
struct Mad24Hi {
  static T f(T a, T b, T c) { return wrap_add(Mul24Hi<T>::f(a, b), c); }
};
template <class T>
struct Sad {
  static T f(T a, T b, T c) { return wrap_add(c, a < b ? wrap_sub(b, a) : wrap_sub(a, b)); }
};
// Field of `len` bits at `pos` (low bytes of b and c), sign-extended from its top bit or from the register's when the
// field passes the end (PTX ISA 9.7.1.19).
template <class T>
struct Bfe {
  static T f(T a, uint32_t b, uint32_t c) {
    constexpr uint32_t kMsb = 8 * sizeof(T) - 1;
    const uint32_t pos = b & 0xFF, len = c & 0xFF;
    using U = Unsigned<T>;
    const U sign = !std::is_signed_v<T> || len == 0
                       ? U{0}
                       : static_cast<U>((static_cast<U>(a) >> (pos + len - 1 < kMsb ? pos + len - 1 : kMsb)) & 1);
    const U shifted = pos > kMsb ? U{0} : static_cast<U>(static_cast<U>(a) >> pos);
    const uint32_t available = pos > kMsb ? 0 : kMsb + 1 - pos;
    const uint32_t kept = len < available ? len : available;
    const U low = kept > kMsb ? ~U{0} : static_cast<U>((U{1} << kept) - 1);
    return static_cast<T>((shifted & low) | (sign ? ~low : U{0}));
  }
};
struct DotBytes {
  template <class A, class B>
  static uint32_t sum(uint32_t a, uint32_t b, uint32_t c) {
    for (int i = 0; i < 4; ++i) {
      c += static_cast<uint32_t>(static_cast<int32_t>(static_cast<A>(a >> (8 * i))) *
                                 static_cast<int32_t>(static_cast<B>(b >> (8 * i))));
    }
    return c;
  }
};
template <class A, class B>
struct Dp4a {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) { return DotBytes::sum<A, B>(a, b, c); }
};
// 16-bit halves of a times bytes 0,1 (lo) or 2,3 (hi) of b.
template <class A, class B, int First>
struct Dp2a {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) {
    for (int i = 0; i < 2; ++i) {
      c += static_cast<uint32_t>(static_cast<int32_t>(static_cast<A>(a >> (16 * i))) *
                                 static_cast<int32_t>(static_cast<B>(b >> (8 * (First + i)))));
    }
    return c;
  }
};
template <bool Left, bool Wrap>
struct Shf {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t n = Wrap ? c & 31 : (c > 32 ? 32 : c);
    const uint64_t both = (uint64_t{b} << 32) | a;
    return Left ? static_cast<uint32_t>((both << n) >> 32) : static_cast<uint32_t>(both >> n);
  }
};
// PTX ISA 9.7.9.7. Mode 0: each nibble of c selects a byte; its top bit replicates the sign.
inline uint32_t permute(uint32_t a, uint32_t b, uint32_t c) {
  const uint64_t both = (uint64_t{b} << 32) | a;
  uint32_t r = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t select = c >> (4 * i);
    uint32_t byte = static_cast<uint32_t>(both >> (8 * (select & 7))) & 0xFF;
    if (select & 8) byte = byte & 0x80 ? 0xFF : 0;
    r |= byte << (8 * i);
  }
  return r;
}
struct Prmt {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) { return permute(a, b, c); }
};
// The named modes as selectors, indexed by the two low bits of c.
template <int Mode>
struct PrmtMode {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) {
    constexpr uint16_t kSelectors[6][4] = {
        {0x3210, 0x4321, 0x5432, 0x6543},  // f4e
        {0x5670, 0x6701, 0x7012, 0x0123},  // b4e
        {0x0000, 0x1111, 0x2222, 0x3333},  // rc8
        {0x3210, 0x3211, 0x3222, 0x3333},  // ecl
        {0x0000, 0x1110, 0x2210, 0x3210},  // ecr
        {0x1010, 0x3232, 0x1010, 0x3232},  // rc16
    };
    return permute(a, b, kSelectors[Mode][c & 3]);
  }
};

template <class T>
void bfi(ExecContext& x, const Op& op, uint32_t mask) {
  const T* a = slot<T>(x, op.a);
  const T* b = slot<T>(x, op.b);
  const uint32_t* pos = slot<uint32_t>(x, op.c);
  const uint32_t* len = slot<uint32_t>(x, x.function->aux[op.aux]);
  constexpr uint32_t kBits = 8 * sizeof(T);
  for_lanes<T>(slot<T>(x, op.d), mask, [=](uint32_t l) -> T {
    const uint32_t p = pos[l] & 0xFF, n = len[l] & 0xFF;
    if (p >= kBits || n == 0) return b[l];
    const T low = n >= kBits ? ~T{0} : (T{1} << n) - 1;
    const T field = low << p;
    return (b[l] & ~field) | ((a[l] << p) & field);
  });
}

// imm: truth table.
void lop3(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* a = slot<uint32_t>(x, op.a);
  const uint32_t* b = slot<uint32_t>(x, op.b);
  const uint32_t* c = slot<uint32_t>(x, op.c);
  const uint32_t table = op.imm;
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) {
    uint32_t r = 0;
    for (uint32_t term = 0; term < 8; ++term) {
      const uint32_t on = (table >> term) & 1 ? ~0u : 0u;
      r |= on & (term & 4 ? a[l] : ~a[l]) & (term & 2 ? b[l] : ~b[l]) & (term & 1 ? c[l] : ~c[l]);
    }
    return r;
  });
}

template <class T>
void selp(ExecContext& x, const Op& op, uint32_t mask) {
  const T* a = slot<T>(x, op.a);
  const T* b = slot<T>(x, op.b);
  const uint32_t p = *slot<uint32_t>(x, op.c);
  for_lanes<T>(slot<T>(x, op.d), mask, [=](uint32_t l) { return (p >> l) & 1 ? a[l] : b[l]; });
}
template <class T, class C>
void slct(ExecContext& x, const Op& op, uint32_t mask) {
  const T* a = slot<T>(x, op.a);
  const T* b = slot<T>(x, op.b);
  const uint32_t* c = slot<uint32_t>(x, op.c);
  for_lanes<T>(slot<T>(x, op.d), mask, [=](uint32_t l) { return unpack<C>(c[l]) >= C{0} ? a[l] : b[l]; });
}

// Predicates are whole masks. imm bit 0/1: invert a/b (`!p`).
template <class F>
void predicate_logic(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t a = *slot<uint32_t>(x, op.a) ^ (op.imm & 1 ? ~0u : 0u);
  const uint32_t b = op.b == kNoSlot ? 0 : *slot<uint32_t>(x, op.b) ^ (op.imm & 2 ? ~0u : 0u);
  set_predicate(x, op.d, mask, F::f(a, b));
}
struct FirstOf {
  static uint32_t f(uint32_t a, uint32_t) { return a; }
};
struct NotFirst {
  static uint32_t f(uint32_t a, uint32_t) { return ~a; }
};

// Extended precision: the carry is a hidden predicate, aux[0] the slot read, aux[1] the slot written (kNoSlot: not).
template <class T, bool Subtract>
void add_carry(ExecContext& x, const Op& op, uint32_t mask) {
  const T* a = slot<T>(x, op.a);
  const T* b = slot<T>(x, op.b);
  const uint32_t in_slot = x.function->aux[op.aux], out_slot = x.function->aux[op.aux + 1];
  const uint32_t in = in_slot == kNoSlot ? 0 : *slot<uint32_t>(x, in_slot);
  uint32_t out = 0;
  T result[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    const T carry = (in >> l) & 1;
    T r;
    bool c1, c2;
    if constexpr (Subtract) {
      c1 = __builtin_sub_overflow(a[l], b[l], &r);
      c2 = __builtin_sub_overflow(r, carry, &r);
    } else {
      c1 = __builtin_add_overflow(a[l], b[l], &r);
      c2 = __builtin_add_overflow(r, carry, &r);
    }
    result[l] = r;
    out |= static_cast<uint32_t>(c1 || c2) << l;
  }
  for_lanes<T>(slot<T>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
  set_predicate(x, out_slot, mask, out);
}
// mad(c): product part (imm bit 0: high half) plus c, with carries as above. imm bit 1: signed high half.
template <class T>
void mad_carry(ExecContext& x, const Op& op, uint32_t mask) {
  const T* a = slot<T>(x, op.a);
  const T* b = slot<T>(x, op.b);
  const T* c = slot<T>(x, op.c);
  const uint32_t in_slot = x.function->aux[op.aux], out_slot = x.function->aux[op.aux + 1];
  const uint32_t in = in_slot == kNoSlot ? 0 : *slot<uint32_t>(x, in_slot);
  uint32_t out = 0;
  T result[kLanes];
  for (uint32_t l = 0; l < kLanes; ++l) {
    T product = wrap_mul(a[l], b[l]);
    if (op.imm & 1) {
      using S = std::make_signed_t<T>;
      product = op.imm & 2 ? static_cast<T>(MulHi<S>::f(static_cast<S>(a[l]), static_cast<S>(b[l])))
                           : MulHi<T>::f(a[l], b[l]);
    }
    T r;
    const bool c1 = __builtin_add_overflow(product, c[l], &r);
    const bool c2 = __builtin_add_overflow(r, static_cast<T>((in >> l) & 1), &r);
    result[l] = r;
    out |= static_cast<uint32_t>(c1 || c2) << l;
  }
  for_lanes<T>(slot<T>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
  set_predicate(x, out_slot, mask, out);
}

#define COMPARE(Name, expression) \
  struct Name {                   \
    template <class T>            \
    static bool f(T a, T b) {     \
      return expression;          \
    }                             \
  };
COMPARE(Eq, a == b)
COMPARE(Ne, a != b)
COMPARE(Lt, a < b)
COMPARE(Le, a <= b)
COMPARE(Gt, a > b)
COMPARE(Ge, a >= b)
#undef COMPARE

void move128(ExecContext& x, const Op& op, uint32_t mask) {
  const uint64_t* a = slot<uint64_t>(x, op.a);
  uint64_t* d = slot<uint64_t>(x, op.d);
  for (uint32_t l = 0; l < kLanes; ++l) {
    if ((mask >> l) & 1) {
      d[2 * l] = a[2 * l];
      d[2 * l + 1] = a[2 * l + 1];
    }
  }
}
// imm parts of P bits, slots in aux, make one value of T, first part lowest.
template <class T, class P>
void pack_parts(ExecContext& x, const Op& op, uint32_t mask) {
  T result[kLanes] = {};
  for (uint32_t i = 0; i < op.imm; ++i) {
    const auto* part = slot<Stored<P>>(x, x.function->aux[op.aux + i]);
    for (uint32_t l = 0; l < kLanes; ++l)
      result[l] |= static_cast<T>(static_cast<T>(static_cast<P>(part[l])) << (8 * sizeof(P) * i));
  }
  for_lanes<T>(slot<T>(x, op.d), mask, [&](uint32_t l) { return result[l]; });
}
template <class T, class P>
void unpack_parts(ExecContext& x, const Op& op, uint32_t mask) {
  T value[kLanes];
  std::memcpy(value, slot<T>(x, op.a), sizeof(value));
  for (uint32_t i = 0; i < op.imm; ++i) {
    const uint32_t to = x.function->aux[op.aux + i];
    if (to == kNoSlot) continue;
    for_lanes<P>(slot<Stored<P>>(x, to), mask,
                 [&](uint32_t l) { return static_cast<P>(value[l] >> (8 * sizeof(P) * i)); });
  }
}
void pack128(ExecContext& x, const Op& op, uint32_t mask) {
  uint64_t* d = slot<uint64_t>(x, op.d);
  for (uint32_t i = 0; i < 2; ++i) {
    const uint64_t* part = slot<uint64_t>(x, x.function->aux[op.aux + i]);
    for (uint32_t l = 0; l < kLanes; ++l) {
      if ((mask >> l) & 1) d[2 * l + i] = part[l];
    }
  }
}
void unpack128(ExecContext& x, const Op& op, uint32_t mask) {
  const uint64_t* a = slot<uint64_t>(x, op.a);
  for (uint32_t i = 0; i < 2; ++i) {
    const uint32_t to = x.function->aux[op.aux + i];
    if (to == kNoSlot) continue;
    uint64_t* d = slot<uint64_t>(x, to);
    for (uint32_t l = 0; l < kLanes; ++l) {
      if ((mask >> l) & 1) d[l] = a[2 * l + i];
    }
  }
}

// imm: address of a local variable within the frame; op.offset 1 adds the generic window.
template <class T>
void local_address(ExecContext& x, const Op& op, uint32_t mask) {
  const T value = static_cast<T>(uint64_t{x.local_begin} + op.imm + (op.offset ? kLocalWindow : 0));
  for_lanes<T>(slot<T>(x, op.d), mask, [=](uint32_t) { return value; });
}
// d = a ± window: cvta. imm selects the window.
template <bool To>
void convert_address(ExecContext& x, const Op& op, uint32_t mask) {
  const uint64_t window = op.imm == 1 ? kSharedWindow : kLocalWindow;
  const uint64_t* a = slot<uint64_t>(x, op.a);
  for_lanes<uint64_t>(slot<uint64_t>(x, op.d), mask, [=](uint32_t l) { return To ? a[l] - window : a[l] + window; });
}
// imm: 0 global, 1 shared, 2 local, 3 const or param.
void isspacep(ExecContext& x, const Op& op, uint32_t mask) {
  const uint64_t* a = slot<uint64_t>(x, op.a);
  const uint32_t shared = lane_mask([=](uint32_t l) { return a[l] - kSharedWindow < kWindowBytes; });
  const uint32_t local = lane_mask([=](uint32_t l) { return a[l] - kLocalWindow < kWindowBytes; });
  const uint32_t param = lane_mask([=](uint32_t l) { return a[l] - kParameterBase < kFunctionBase - kParameterBase; });
  const uint32_t r = op.imm == 1 ? shared : op.imm == 2 ? local : op.imm == 3 ? param : ~(shared | local);
  set_predicate(x, op.d, mask, r);
}

// fns: the lane of the |offset|-th set bit from `base`, upward or downward (PTX ISA 9.7.1.17).
void find_nth_set(ExecContext& x, const Op& op, uint32_t mask) {
  const uint32_t* bits = slot<uint32_t>(x, op.a);
  const uint32_t* base = slot<uint32_t>(x, op.b);
  const uint32_t* offset = slot<uint32_t>(x, op.c);
  for_lanes<uint32_t>(slot<uint32_t>(x, op.d), mask, [=](uint32_t l) -> uint32_t {
    const int32_t n = static_cast<int32_t>(offset[l]);
    const int32_t start = static_cast<int32_t>(base[l] & 31);
    if (n == 0) return (bits[l] >> start) & 1 ? static_cast<uint32_t>(start) : ~0u;
    const int32_t step = n > 0 ? 1 : -1;
    int64_t left = n > 0 ? int64_t{n} : -int64_t{n};
    for (int32_t i = start; i >= 0 && i < 32; i += step) {
      if (((bits[l] >> i) & 1) && --left == 0) return static_cast<uint32_t>(i);
    }
    return ~0u;
  });
}

// The word of a special register, broadcast or by lane. imm: ptx::SpecialRegister.
void special32(ExecContext& x, const Op& op, uint32_t mask) {
  using S = ptx::SpecialRegister;
  uint32_t* d = slot<uint32_t>(x, op.d);
  const auto all = [&](uint32_t value) { for_lanes<uint32_t>(d, mask, [=](uint32_t) { return value; }); };
  const auto by_lane = [&](auto f) { for_lanes<uint32_t>(d, mask, f); };
  switch (static_cast<S>(op.imm)) {
    case S::kTidX:
      return by_lane([t = x.thread_id[0]](uint32_t l) { return t[l]; });
    case S::kTidY:
      return by_lane([t = x.thread_id[1]](uint32_t l) { return t[l]; });
    case S::kTidZ:
      return by_lane([t = x.thread_id[2]](uint32_t l) { return t[l]; });
    case S::kNtidX:
      return all(x.block_size[0]);
    case S::kNtidY:
      return all(x.block_size[1]);
    case S::kNtidZ:
      return all(x.block_size[2]);
    case S::kCtaidX:
    case S::kClusteridX:
      return all(x.block_id[0]);
    case S::kCtaidY:
    case S::kClusteridY:
      return all(x.block_id[1]);
    case S::kCtaidZ:
    case S::kClusteridZ:
      return all(x.block_id[2]);
    case S::kNctaidX:
    case S::kNclusteridX:
      return all(x.grid_size[0]);
    case S::kNctaidY:
    case S::kNclusteridY:
      return all(x.grid_size[1]);
    case S::kNctaidZ:
    case S::kNclusteridZ:
      return all(x.grid_size[2]);
    case S::kClusterNctaidX:
    case S::kClusterNctaidY:
    case S::kClusterNctaidZ:
    case S::kClusterNctarank:
      return all(1);
    case S::kLaneid:
      return by_lane([](uint32_t l) { return l; });
    case S::kWarpid:
      return all(x.warp_id);
    case S::kNwarpid:
      return all((x.block_size[0] * x.block_size[1] * x.block_size[2] + 31) / 32);
    case S::kSmid:
      return all(x.multiprocessor);
    case S::kNsmid:
      return all(x.multiprocessors);
    case S::kLanemaskEq:
      return by_lane([](uint32_t l) { return 1u << l; });
    case S::kLanemaskLe:
      return by_lane([](uint32_t l) { return (2u << l) - 1; });
    case S::kLanemaskLt:
      return by_lane([](uint32_t l) { return (1u << l) - 1; });
    case S::kLanemaskGe:
      return by_lane([](uint32_t l) { return ~((1u << l) - 1); });
    case S::kLanemaskGt:
      return by_lane([](uint32_t l) { return ~((2u << l) - 1); });
    case S::kClock:
    case S::kGlobaltimerLo:
      return all(static_cast<uint32_t>(x.issued));
    case S::kClockHi:
    case S::kGlobaltimerHi:
      return all(static_cast<uint32_t>(x.issued >> 32));
    case S::kDynamicSmemSize:
      return all(x.dynamic_shared);
    case S::kTotalSmemSize:
    case S::kAggrSmemSize:
      return all(x.total_shared);
    default:
      return all(0);
  }
}
void special64(ExecContext& x, const Op& op, uint32_t mask) {
  const bool clock = op.imm == static_cast<uint32_t>(ptx::SpecialRegister::kClock64) ||
                     op.imm == static_cast<uint32_t>(ptx::SpecialRegister::kGlobaltimer);
  const uint64_t value = clock                                                            ? x.issued
                         : op.imm == static_cast<uint32_t>(ptx::SpecialRegister::kGridid) ? x.grid_id
                                                                                          : 0;
  for_lanes<uint64_t>(slot<uint64_t>(x, op.d), mask, [=](uint32_t) { return value; });
}
void special_false(ExecContext& x, const Op& op, uint32_t mask) { set_predicate(x, op.d, mask, 0); }

using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

// Signless operations at three widths; signed and unsigned ones at six.
#define BITS(name, F)                                                                 \
  {name ".b16", binary<F<u16>, u16, u16>}, {name ".b32", binary<F<u32>, u32, u32>}, { \
    name ".b64", binary<F<u64>, u64, u64>                                             \
  }
#define BITS1(name, F)                                                              \
  {name ".b16", unary<F<u16>, u16, u16>}, {name ".b32", unary<F<u32>, u32, u32>}, { \
    name ".b64", unary<F<u64>, u64, u64>                                            \
  }
#define INTS(name, F)                                                                   \
  {name ".u16", binary<F<u16>, u16, u16>}, {name ".u32", binary<F<u32>, u32, u32>},     \
      {name ".u64", binary<F<u64>, u64, u64>}, {name ".s16", binary<F<s16>, s16, s16>}, \
      {name ".s32", binary<F<s32>, s32, s32>}, {                                        \
    name ".s64", binary<F<s64>, s64, s64>                                               \
  }
#define SIGNED1(name, F)                                                            \
  {name ".s16", unary<F<s16>, s16, s16>}, {name ".s32", unary<F<s32>, s32, s32>}, { \
    name ".s64", unary<F<s64>, s64, s64>                                            \
  }
#define SHIFTS(name, suffix, F, A, B, C)                                                              \
  {name "." suffix "16", binary<F<A>, A, A, u32>}, {name "." suffix "32", binary<F<B>, B, B, u32>}, { \
    name "." suffix "64", binary<F<C>, C, C, u32>                                                     \
  }
#define COMPARES(kind, T)                                                                             \
  {"setp.eq." kind, setp<Eq, T>}, {"setp.ne." kind, setp<Ne, T>}, {"setp.lt." kind, setp<Lt, T>},     \
      {"setp.le." kind, setp<Le, T>}, {"setp.gt." kind, setp<Gt, T>}, {"setp.ge." kind, setp<Ge, T>}, \
      {"set.eq." kind, set<Eq, T>}, {"set.ne." kind, set<Ne, T>}, {"set.lt." kind, set<Lt, T>},       \
      {"set.le." kind, set<Le, T>}, {"set.gt." kind, set<Gt, T>}, {                                   \
    "set.ge." kind, set<Ge, T>                                                                        \
  }

const LaneEntry kEntries[] = {
    BITS("add", Add),
    BITS("sub", Sub),
    BITS("mul.lo", MulLo),
    BITS("and", And),
    BITS("or", Or),
    BITS("xor", Xor),
    BITS1("not", Not),
    BITS1("cnot", Cnot),
    BITS1("mov", Move),
    INTS("min", Min),
    INTS("max", Max),
    INTS("mul.hi", MulHi),
    INTS("div", Div),
    INTS("rem", Rem),
    SIGNED1("neg", Neg),
    SIGNED1("abs", Abs),
    {"mul.wide.u16", binary<MulWide<u16>, u32, u16>},
    {"mul.wide.s16", binary<MulWide<s16>, s32, s16>},
    {"mul.wide.u32", binary<MulWide<u32>, u64, u32>},
    {"mul.wide.s32", binary<MulWide<s32>, s64, s32>},
    {"mad.wide.u16", ternary<MadWide<u16>, u32, u16, u16, u32>},
    {"mad.wide.s16", ternary<MadWide<s16>, s32, s16, s16, s32>},
    {"mad.wide.u32", ternary<MadWide<u32>, u64, u32, u32, u64>},
    {"mad.wide.s32", ternary<MadWide<s32>, s64, s32, s32, s64>},
    {"mad.lo.b16", ternary<MadLo<u16>, u16, u16>},
    {"mad.lo.b32", ternary<MadLo<u32>, u32, u32>},
    {"mad.lo.b64", ternary<MadLo<u64>, u64, u64>},
    {"mad.hi.u16", ternary<MadHi<u16>, u16, u16>},
    {"mad.hi.s16", ternary<MadHi<s16>, s16, s16>},
    {"mad.hi.u32", ternary<MadHi<u32>, u32, u32>},
    {"mad.hi.s32", ternary<MadHi<s32>, s32, s32>},
    {"mad.hi.u64", ternary<MadHi<u64>, u64, u64>},
    {"mad.hi.s64", ternary<MadHi<s64>, s64, s64>},
    {"mad.hi.sat.s32", ternary<MadHiSat, s32, s32>},
    {"add.sat.s32", binary<SatAdd<s32>, s32, s32>},
    {"sub.sat.s32", binary<SatSub<s32>, s32, s32>},
    {"mul24.lo.u32", binary<Mul24Lo<u32>, u32, u32>},
    {"mul24.lo.s32", binary<Mul24Lo<s32>, s32, s32>},
    {"mul24.hi.u32", binary<Mul24Hi<u32>, u32, u32>},
    {"mul24.hi.s32", binary<Mul24Hi<s32>, s32, s32>},
    {"mad24.lo.u32", ternary<Mad24Lo<u32>, u32, u32>},
    {"mad24.lo.s32", ternary<Mad24Lo<s32>, s32, s32>},
    {"mad24.hi.u32", ternary<Mad24Hi<u32>, u32, u32>},
    {"mad24.hi.s32", ternary<Mad24Hi<s32>, s32, s32>},
    {"sad.u16", ternary<Sad<u16>, u16, u16>},
    {"sad.s16", ternary<Sad<s16>, s16, s16>},
    {"sad.u32", ternary<Sad<u32>, u32, u32>},
    {"sad.s32", ternary<Sad<s32>, s32, s32>},
    {"sad.u64", ternary<Sad<u64>, u64, u64>},
    {"sad.s64", ternary<Sad<s64>, s64, s64>},
    SHIFTS("shl", "b", Shl, u16, u32, u64),
    SHIFTS("shr", "u", Shr, u16, u32, u64),
    SHIFTS("shr", "s", Shr, s16, s32, s64),
    {"popc.b32", unary<Popc<u32>, u32, u32>},
    {"popc.b64", unary<Popc<u64>, u32, u64>},
    {"clz.b32", unary<Clz<u32>, u32, u32>},
    {"clz.b64", unary<Clz<u64>, u32, u64>},
    {"bfind.u32", unary<Bfind<u32>, u32, u32>},
    {"bfind.s32", unary<Bfind<s32>, u32, s32>},
    {"bfind.u64", unary<Bfind<u64>, u32, u64>},
    {"bfind.s64", unary<Bfind<s64>, u32, s64>},
    {"bfind.shiftamt.u32", unary<BfindShift<u32>, u32, u32>},
    {"bfind.shiftamt.s32", unary<BfindShift<s32>, u32, s32>},
    {"bfind.shiftamt.u64", unary<BfindShift<u64>, u32, u64>},
    {"bfind.shiftamt.s64", unary<BfindShift<s64>, u32, s64>},
    {"brev.b32", unary<Brev32, u32, u32>},
    {"brev.b64", unary<Brev64, u64, u64>},
    {"bfe.u32", ternary<Bfe<u32>, u32, u32, u32, u32>},
    {"bfe.s32", ternary<Bfe<s32>, s32, s32, u32, u32>},
    {"bfe.u64", ternary<Bfe<u64>, u64, u64, u32, u32>},
    {"bfe.s64", ternary<Bfe<s64>, s64, s64, u32, u32>},
    {"bfi.b32", bfi<u32>},
    {"bfi.b64", bfi<u64>},
    {"fns.b32", find_nth_set},
    {"dp4a.u32.u32", ternary<Dp4a<uint8_t, uint8_t>, u32, u32>},
    {"dp4a.u32.s32", ternary<Dp4a<uint8_t, int8_t>, u32, u32>},
    {"dp4a.s32.u32", ternary<Dp4a<int8_t, uint8_t>, u32, u32>},
    {"dp4a.s32.s32", ternary<Dp4a<int8_t, int8_t>, u32, u32>},
    {"dp2a.lo.u32.u32", ternary<Dp2a<u16, uint8_t, 0>, u32, u32>},
    {"dp2a.lo.u32.s32", ternary<Dp2a<u16, int8_t, 0>, u32, u32>},
    {"dp2a.lo.s32.u32", ternary<Dp2a<s16, uint8_t, 0>, u32, u32>},
    {"dp2a.lo.s32.s32", ternary<Dp2a<s16, int8_t, 0>, u32, u32>},
    {"dp2a.hi.u32.u32", ternary<Dp2a<u16, uint8_t, 2>, u32, u32>},
    {"dp2a.hi.u32.s32", ternary<Dp2a<u16, int8_t, 2>, u32, u32>},
    {"dp2a.hi.s32.u32", ternary<Dp2a<s16, uint8_t, 2>, u32, u32>},
    {"dp2a.hi.s32.s32", ternary<Dp2a<s16, int8_t, 2>, u32, u32>},
    {"shf.l.wrap.b32", ternary<Shf<true, true>, u32, u32>},
    {"shf.l.clamp.b32", ternary<Shf<true, false>, u32, u32>},
    {"shf.r.wrap.b32", ternary<Shf<false, true>, u32, u32>},
    {"shf.r.clamp.b32", ternary<Shf<false, false>, u32, u32>},
    {"prmt.b32", ternary<Prmt, u32, u32>},
    {"prmt.f4e.b32", ternary<PrmtMode<0>, u32, u32>},
    {"prmt.b4e.b32", ternary<PrmtMode<1>, u32, u32>},
    {"prmt.rc8.b32", ternary<PrmtMode<2>, u32, u32>},
    {"prmt.ecl.b32", ternary<PrmtMode<3>, u32, u32>},
    {"prmt.ecr.b32", ternary<PrmtMode<4>, u32, u32>},
    {"prmt.rc16.b32", ternary<PrmtMode<5>, u32, u32>},
    {"lop3.b32", lop3},
    {"selp.b32", selp<u32>},
    {"selp.b64", selp<u64>},
    {"slct.b32.s32", slct<u32, s32>},
    {"slct.b64.s32", slct<u64, s32>},
    {"slct.b32.f32", slct<u32, float>},
    {"slct.b64.f32", slct<u64, float>},
    {"and.pred", predicate_logic<And<u32>>},
    {"or.pred", predicate_logic<Or<u32>>},
    {"xor.pred", predicate_logic<Xor<u32>>},
    {"mov.pred", predicate_logic<FirstOf>},
    {"not.pred", predicate_logic<NotFirst>},
    {"addc.b32", add_carry<u32, false>},
    {"addc.b64", add_carry<u64, false>},
    {"subc.b32", add_carry<u32, true>},
    {"subc.b64", add_carry<u64, true>},
    {"madc.b32", mad_carry<u32>},
    {"madc.b64", mad_carry<u64>},
    COMPARES("u16", u16),
    COMPARES("u32", u32),
    COMPARES("u64", u64),
    COMPARES("s16", s16),
    COMPARES("s32", s32),
    COMPARES("s64", s64),
    {"mov.b128", move128},
    {"pack.b64.b32", pack_parts<u64, u32>},
    {"pack.b64.b16", pack_parts<u64, u16>},
    {"pack.b64.b8", pack_parts<u64, uint8_t>},
    {"pack.b32.b16", pack_parts<u32, u16>},
    {"pack.b32.b8", pack_parts<u32, uint8_t>},
    {"pack.b16.b8", pack_parts<u32, uint8_t>},
    {"unpack.b64.b32", unpack_parts<u64, u32>},
    {"unpack.b64.b16", unpack_parts<u64, u16>},
    {"unpack.b64.b8", unpack_parts<u64, uint8_t>},
    {"unpack.b32.b16", unpack_parts<u32, u16>},
    {"unpack.b32.b8", unpack_parts<u32, uint8_t>},
    {"unpack.b16.b8", unpack_parts<u32, uint8_t>},
    {"pack.b128.b64", pack128},
    {"unpack.b128.b64", unpack128},
    {"local_address.b32", local_address<u32>},
    {"local_address.b64", local_address<u64>},
    {"cvta.to", convert_address<true>},
    {"cvta.from", convert_address<false>},
    {"isspacep", isspacep},
    {"special.b32", special32},
    {"special.b64", special64},
    {"special.pred", special_false},
};

}  // namespace

extern const LaneEntries integer_entries;
const LaneEntries integer_entries = {kEntries, sizeof(kEntries) / sizeof(kEntries[0])};

}  // namespace tailor::virtual_device::TAILOR_LANES
