// Integer operations of the lowered program that C++ has no operator for. i32 is unsigned int, i64 unsigned long long:
// unsigned arithmetic wraps, so nothing here can be undefined.

static __device__ __forceinline__ unsigned int tailor_mulhi_u(unsigned int a, unsigned int b) { return __umulhi(a, b); }
static __device__ __forceinline__ unsigned long long tailor_mulhi_u(unsigned long long a, unsigned long long b) {
  return __umul64hi(a, b);
}
static __device__ __forceinline__ unsigned int tailor_shr_s(unsigned int a, unsigned int amount) {
  return (unsigned int)((int)a >> amount);
}
static __device__ __forceinline__ unsigned long long tailor_shr_s(unsigned long long a, unsigned long long amount) {
  return (unsigned long long)((long long)a >> amount);
}
static __device__ __forceinline__ unsigned long long tailor_sext(unsigned int a) {
  return (unsigned long long)(long long)(int)a;
}
