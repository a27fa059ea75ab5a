// Conversions between formats, transcendental functions, comparisons with NaN rules.
#include <cuda_fp16.h>
#include <cuda_bf16.h>
extern "C" __global__ void convert(const float* x, __half* h, __nv_bfloat16* b, int* q, double* d, long long* l) {
  int i = threadIdx.x;
  float v = x[i];
  h[i] = __float2half(v);
  b[i] = __float2bfloat16(v);
  __half2 hh = __floats2half2_rn(v, v + 1);
  __nv_bfloat162 bb = __floats2bfloat162_rn(v, -v);
  hh = __hfma2(hh, hh, hh);
  bb = __hadd2(bb, bb);
  h[i + 32] = __low2half(hh);
  b[i + 32] = __high2bfloat16(bb);
  q[i] = __float2int_rn(v) + (int)v + __float2int_ru(v) + __float_as_int(v);
  d[i] = sqrt((double)v) / 3.0 + fma((double)v, 2.0, 1.0);
  l[i] = (long long)v * i + __mul64hi(l[i], 77) + llrintf(v);
  float t = exp2f(v) + log2f(v) + __expf(v) + __sinf(v) + __cosf(v) + rsqrtf(v) + sqrtf(v) + tanhf(v) + v / (1.f + v);
  t = fmaxf(t, fminf(v, 2.f)) + copysignf(1.f, v) + __fdividef(v, t) + __frcp_rn(v) + truncf(v) + fabsf(v);
  if (isnan(t) || t > v) q[i + 32] = __saturatef(t) > 0.5f;
  q[i + 64] = __vadd4(q[i], q[i + 1]) + __byte_perm(q[i], i, 0x3210) + __dp4a(q[i], i, 3) + __funnelshift_l(i, q[i], 3);
  signed char c = (signed char)q[i + 3];
  unsigned short s = (unsigned short)q[i + 4];
  q[i + 5] = c * s;
}
