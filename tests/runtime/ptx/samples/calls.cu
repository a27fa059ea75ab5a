// Direct and indirect calls, a switch, printf, assert, recursion and local arrays.
#ifndef __CUDACC_RTC__
#include <stdio.h>
#endif
typedef int (*binary)(int, int);
__device__ __noinline__ int add_them(int a, int b) { return a + b; }
__device__ __noinline__ int multiply_them(int a, int b) { return a * b; }
__device__ __noinline__ int depth(int n) { return n <= 1 ? 1 : n * depth(n - 1); }
struct Pair { long long a; double b; };
__device__ __noinline__ Pair make_pair_of(int n) { return {n, n * 0.5}; }
__device__ binary table[2] = {add_them, multiply_them};
__device__ const char text[] = "tailor";
extern "C" __global__ void calls(int* out, int mode, int n) {
  int local[16];
  for (int i = 0; i < 16; ++i) local[i] = i * mode;
  int r;
  switch (mode) {
    case 0: r = add_them(n, 1); break;
    case 1: r = multiply_them(n, 3); break;
    case 2: r = depth(n); break;
    case 3: r = local[n & 15]; break;
    case 4: r = text[n % 6]; break;
    case 7: r = (int)make_pair_of(n).a; break;
    case 9: r = __popc(n) + __clz(n) + __ffs(n) + __brev(n); break;
    case 11: r = (n / 7) % 5 + (int)((long long)n * n / (mode + 1)); break;
    default: r = table[n & 1](n, mode);
  }
  if (r < 0) printf("block %d: %d of %f\n", (int)blockIdx.x, r, 1.5 * n);
  if (r == 12345) __trap();
  out[threadIdx.x] = r;
}
