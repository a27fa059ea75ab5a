// Accesses to global and shared memory, one PTX instruction each. These are macros, not functions: the access id is the
// line of the statement that names them (#line), and an inlined function would put its own line in front.
//
// `path` is ".global", ".global.nc" (read-only for the whole launch) or ".shared"; `at` is the constraint of `address`,
// an integer: "l" where it is a global address (which equals its generic one), "r" where it is a shared one. `offset`
// is an integer constant that fits in 32 bits. A guarded load leaves zero when `guard` is false. The statements are
// volatile: the compiler may neither merge, drop nor reorder them among themselves or across a barrier.

// 16 bytes in four registers.
struct tailor_b128 {
  unsigned int x, y, z, w;
};

#define TAILOR_LOAD_(suffix, constraint, path, at, result, address, offset) \
  asm volatile("ld" path "." suffix " %0, [%1+%2];" : "=" constraint(result) : at(address), "n"(offset))
#define TAILOR_LOAD_B8(path, at, result, address, offset) TAILOR_LOAD_("u8", "h", path, at, result, address, offset)
#define TAILOR_LOAD_B16(path, at, result, address, offset) TAILOR_LOAD_("u16", "h", path, at, result, address, offset)
#define TAILOR_LOAD_B32(path, at, result, address, offset) TAILOR_LOAD_("u32", "r", path, at, result, address, offset)
#define TAILOR_LOAD_B64(path, at, result, address, offset) TAILOR_LOAD_("u64", "l", path, at, result, address, offset)
#define TAILOR_LOAD_B128(path, at, result, address, offset)                             \
  asm volatile("ld" path ".v4.u32 {%0, %1, %2, %3}, [%4+%5];"                           \
               : "=r"((result).x), "=r"((result).y), "=r"((result).z), "=r"((result).w) \
               : at(address), "n"(offset))

#define TAILOR_LOAD_GUARDED_(suffix, constraint, path, at, result, address, offset, guard)                 \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %3, 0;\n\t@p ld" path "." suffix " %0, [%1+%2];\n\t}" \
               : "+" constraint(result)                                                                    \
               : at(address), "n"(offset), "r"((unsigned int)(guard)))
#define TAILOR_LOAD_GUARDED_B8(path, at, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u8", "h", path, at, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B16(path, at, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u16", "h", path, at, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B32(path, at, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u32", "r", path, at, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B64(path, at, result, address, offset, guard) \
  TAILOR_LOAD_GUARDED_("u64", "l", path, at, result, address, offset, guard)
#define TAILOR_LOAD_GUARDED_B128(path, at, result, address, offset, guard)                                           \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %6, 0;\n\t@p ld" path ".v4.u32 {%0, %1, %2, %3}, [%4+%5];\n\t}" \
               : "+r"((result).x), "+r"((result).y), "+r"((result).z), "+r"((result).w)                              \
               : at(address), "n"(offset), "r"((unsigned int)(guard)))

#define TAILOR_STORE_(suffix, constraint, path, at, address, offset, value) \
  asm volatile("st" path "." suffix " [%0+%1], %2;" ::at(address), "n"(offset), constraint(value) : "memory")
#define TAILOR_STORE_B8(path, at, address, offset, value) TAILOR_STORE_("u8", "h", path, at, address, offset, value)
#define TAILOR_STORE_B16(path, at, address, offset, value) TAILOR_STORE_("u16", "h", path, at, address, offset, value)
#define TAILOR_STORE_B32(path, at, address, offset, value) TAILOR_STORE_("u32", "r", path, at, address, offset, value)
#define TAILOR_STORE_B64(path, at, address, offset, value) TAILOR_STORE_("u64", "l", path, at, address, offset, value)
#define TAILOR_STORE_B128(path, at, address, offset, value)                                               \
  asm volatile("st" path ".v4.u32 [%0+%1], {%2, %3, %4, %5};" ::at(address), "n"(offset), "r"((value).x), \
               "r"((value).y), "r"((value).z), "r"((value).w)                                             \
               : "memory")

#define TAILOR_STORE_GUARDED_(suffix, constraint, path, at, address, offset, value, guard) \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %3, 0;\n\t@p st" path "." suffix      \
               " [%0+%1], %2;\n\t}" ::at(address),                                         \
               "n"(offset), constraint(value), "r"((unsigned int)(guard))                  \
               : "memory")
#define TAILOR_STORE_GUARDED_B8(path, at, address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u8", "h", path, at, address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B16(path, at, address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u16", "h", path, at, address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B32(path, at, address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u32", "r", path, at, address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B64(path, at, address, offset, value, guard) \
  TAILOR_STORE_GUARDED_("u64", "l", path, at, address, offset, value, guard)
#define TAILOR_STORE_GUARDED_B128(path, at, address, offset, value, guard)                                             \
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.u32 p, %6, 0;\n\t@p st" path                                             \
               ".v4.u32 [%0+%1], {%2, %3, %4, %5};\n\t}" ::at(address),                                                \
               "n"(offset), "r"((value).x), "r"((value).y), "r"((value).z), "r"((value).w), "r"((unsigned int)(guard)) \
               : "memory")

// Relaxed, device scope; the old value is dropped.
#define TAILOR_ATOMIC_MAX_U64(address, value)                                                            \
  do {                                                                                                   \
    unsigned long long old;                                                                              \
    asm volatile("atom.global.max.u64 %0, [%1], %2;" : "=l"(old) : "l"(address), "l"(value) : "memory"); \
    (void)old;                                                                                           \
  } while (0)

// Of a variable in shared memory.
static __device__ __forceinline__ unsigned int tailor_shared_address(const void* variable) {
  return (unsigned int)__cvta_generic_to_shared(variable);
}
