// Global memory accesses, one PTX instruction each. These are macros, not functions: the access id is the line of the
// statement that names them (#line), and an inlined function would put its own line in front.
//
// `address` is an integer (a global address equals its generic one), `offset` an integer constant that fits in 32 bits.
// `cache` is "" or ".nc" (read-only for the whole launch). A guarded load leaves zero when `guard` is false. The
// statements are volatile: the compiler may neither merge, drop nor reorder them among themselves.

// 16 bytes in four registers.
struct tailor_b128 {
  unsigned int x, y, z, w;
};

#define TAILOR_LOAD_(suffix, constraint, cache, result, address, offset) \
  asm volatile("ld.global" cache "." suffix " %0, [%1+%2];" : "=" constraint(result) : "l"(address), "n"(offset))
#define TAILOR_LOAD_B8(cache, result, address, offset) TAILOR_LOAD_("u8", "h", cache, result, address, offset)
#define TAILOR_LOAD_B16(cache, result, address, offset) TAILOR_LOAD_("u16", "h", cache, result, address, offset)
#define TAILOR_LOAD_B32(cache, result, address, offset) TAILOR_LOAD_("u32", "r", cache, result, address, offset)
#define TAILOR_LOAD_B64(cache, result, address, offset) TAILOR_LOAD_("u64", "l", cache, result, address, offset)
#define TAILOR_LOAD_B128(cache, result, address, offset)                                \
  asm volatile("ld.global" cache ".v4.u32 {%0, %1, %2, %3}, [%4+%5];"                   \
               : "=r"((result).x), "=r"((result).y), "=r"((result).z), "=r"((result).w) \
               : "l"(address), "n"(offset))

#define TAILOR_LOAD_GUARDED_(suffix, constraint, cache, result, address, offset, guard)                            \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %3, 0;\n\t@p ld.global" cache "." suffix " %0, [%1+%2];\n\t}" \
               : "+" constraint(result)                                                                            \
               : "l"(address), "n"(offset), "r"((unsigned int)(guard)))
#define TAILOR_LOAD_GUARDED_B8(cache, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u8", "h", cache, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B16(cache, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u16", "h", cache, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B32(cache, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u32", "r", cache, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B64(cache, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u64", "l", cache, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B128(cache, result, address, offset, guard)                 \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %6, 0;\n\t@p ld.global" cache      \
               ".v4.u32 {%0, %1, %2, %3}, [%4+%5];\n\t}"                                \
               : "+r"((result).x), "+r"((result).y), "+r"((result).z), "+r"((result).w) \
               : "l"(address), "n"(offset), "r"((unsigned int)(guard)))

#define TAILOR_STORE_(suffix, constraint, address, offset, value) \
  asm volatile("st.global." suffix " [%0+%1], %2;" ::"l"(address), "n"(offset), constraint(value) : "memory")
#define TAILOR_STORE_B8(address, offset, value) TAILOR_STORE_("u8", "h", address, offset, value)
#define TAILOR_STORE_B16(address, offset, value) TAILOR_STORE_("u16", "h", address, offset, value)
#define TAILOR_STORE_B32(address, offset, value) TAILOR_STORE_("u32", "r", address, offset, value)
#define TAILOR_STORE_B64(address, offset, value) TAILOR_STORE_("u64", "l", address, offset, value)
#define TAILOR_STORE_B128(address, offset, value)                                                         \
  asm volatile("st.global.v4.u32 [%0+%1], {%2, %3, %4, %5};" ::"l"(address), "n"(offset), "r"((value).x), \
               "r"((value).y), "r"((value).z), "r"((value).w)                                             \
               : "memory")

#define TAILOR_STORE_GUARDED_(suffix, constraint, address, offset, value, guard)     \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %3, 0;\n\t@p st.global." suffix \
               " [%0+%1], %2;\n\t}" ::"l"(address),                                  \
               "n"(offset), constraint(value), "r"((unsigned int)(guard))            \
               : "memory")
#define TAILOR_STORE_GUARDED_B8(address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u8", "h", address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B16(address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u16", "h", address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B32(address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u32", "r", address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B64(address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u64", "l", address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B128(address, offset, value, guard)                                                  \
  asm volatile(                                                                                                   \
      "{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %6, 0;\n\t@p st.global.v4.u32 [%0+%1], {%2, %3, %4, %5};\n\t}" ::"l"( \
          address),                                                                                               \
      "n"(offset), "r"((value).x), "r"((value).y), "r"((value).z), "r"((value).w), "r"((unsigned int)(guard))     \
      : "memory")

// Relaxed, device scope; the old value is dropped.
#define TAILOR_ATOMIC_MAX_U64(address, value)                                                            \
  do {                                                                                                   \
    unsigned long long old;                                                                              \
    asm volatile("atom.global.max.u64 %0, [%1], %2;" : "=l"(old) : "l"(address), "l"(value) : "memory"); \
    (void)old;                                                                                           \
  } while (0)
