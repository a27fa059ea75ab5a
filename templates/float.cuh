// Floats and bits of the lowered program. Every operation is one PTX instruction that states its rounding, so that
// neither the compiler nor the assembler contracts, reassociates or folds it, whatever the options say.

static __device__ __forceinline__ float tailor_fadd(float a, float b) {
  float result;
  asm("add.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
static __device__ __forceinline__ float tailor_fsub(float a, float b) {
  float result;
  asm("sub.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
static __device__ __forceinline__ float tailor_fmul(float a, float b) {
  float result;
  asm("mul.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
static __device__ __forceinline__ float tailor_fma(float a, float b, float c) {
  float result;
  asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(result) : "f"(a), "f"(b), "f"(c));
  return result;
}

// Between bits and their lanes; the low one first.
static __device__ __forceinline__ void tailor_words(unsigned long long bits, unsigned int& low, unsigned int& high) {
  asm("mov.b64 {%0, %1}, %2;" : "=r"(low), "=r"(high) : "l"(bits));
}
static __device__ __forceinline__ void tailor_halves(unsigned int bits, unsigned short& low, unsigned short& high) {
  asm("mov.b32 {%0, %1}, %2;" : "=h"(low), "=h"(high) : "r"(bits));
}
static __device__ __forceinline__ unsigned long long tailor_join_words(unsigned int low, unsigned int high) {
  unsigned long long result;
  asm("mov.b64 %0, {%1, %2};" : "=l"(result) : "r"(low), "r"(high));
  return result;
}
static __device__ __forceinline__ unsigned int tailor_join_halves(unsigned short low, unsigned short high) {
  unsigned int result;
  asm("mov.b32 %0, {%1, %2};" : "=r"(result) : "h"(low), "h"(high));
  return result;
}
static __device__ __forceinline__ unsigned short tailor_join_bytes(unsigned short low, unsigned short high) {
  return (unsigned short)(low | (high << 8));
}

// Storage formats. Of bf16, the bits are the high half of an f32 already.
static __device__ __forceinline__ float tailor_decode_f16(unsigned short bits) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(bits));
  return result;
}
static __device__ __forceinline__ unsigned int tailor_e4m3x2_to_f16x2(unsigned short bits) {
  unsigned int result;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(result) : "h"(bits));
  return result;
}
static __device__ __forceinline__ unsigned int tailor_e5m2x2_to_f16x2(unsigned short bits) {
  unsigned int result;
  asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(result) : "h"(bits));
  return result;
}
static __device__ __forceinline__ unsigned short tailor_encode_f16(float value) {
  unsigned short result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result) : "f"(value));
  return result;
}
static __device__ __forceinline__ unsigned short tailor_encode_bf16(float value) {
  unsigned short result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result) : "f"(value));
  return result;
}
static __device__ __forceinline__ unsigned int tailor_encode_f16x2(float low, float high) {
  unsigned int result;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}
static __device__ __forceinline__ unsigned int tailor_encode_bf16x2(float low, float high) {
  unsigned int result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}
static __device__ __forceinline__ unsigned short tailor_encode_e4m3x2(float low, float high) {
  unsigned short result;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(result) : "f"(high), "f"(low));
  return result;
}
static __device__ __forceinline__ unsigned short tailor_encode_e5m2x2(float low, float high) {
  unsigned short result;
  asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(result) : "f"(high), "f"(low));
  return result;
}
