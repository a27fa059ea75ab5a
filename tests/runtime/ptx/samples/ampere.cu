// sm_80: cp.async, ldmatrix, mma.sync, wmma.
#include <mma.h>
#ifndef __CUDACC_RTC__
#include <stdint.h>
#else
typedef unsigned long long uint64_t;
#endif
extern "C" __global__ void ampere(const uint4* a, float* out, const __half* w) {
  __shared__ __align__(128) unsigned char smem[4096];
  const unsigned s = (unsigned)__cvta_generic_to_shared(smem) + threadIdx.x * 16;
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(s), "l"(a + threadIdx.x));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(s), "l"(a + 32 + threadIdx.x), "r"(threadIdx.x > 4 ? 8 : 0));
  asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;\ncp.async.wait_all;" ::: "memory");
  __syncthreads();
  unsigned r[4];
  asm volatile("ldmatrix.sync.aligned.x4.m8n8.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(s));
  float c[4] = {};
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]), "r"(r[0]), "r"(r[1]));
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __half, row_major> fa;
  fragment<matrix_b, 16, 16, 16, __half, row_major> fb;
  fragment<accumulator, 16, 16, 16, float> fc;
  fill_fragment(fc, 0.f);
  load_matrix_sync(fa, w, 16);
  load_matrix_sync(fb, w + 256, 16);
  mma_sync(fc, fa, fb, fc);
  store_matrix_sync(out + 256, fc, 16, mem_row_major);
  out[threadIdx.x] = c[0] + c[1] + c[2] + c[3];
}
