// Warp-wide operations, scoped memory operations, special registers.
extern "C" __global__ void warp(unsigned* out, unsigned long long* wide, unsigned* flag, long long* clocks) {
  unsigned lane, lt;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  asm("mov.u32 %0, %%lanemask_lt;" : "=r"(lt));
  unsigned mask = __activemask();
  unsigned b = __ballot_sync(mask, lane & 1);
  unsigned r = __popc(b & lt) + __any_sync(mask, lane > 3) + __all_sync(mask, lane > 3) * 2;
  r += __match_any_sync(mask, lane / 4);
  int same;
  r += __match_all_sync(mask, lane, &same) + same;
  r += __reduce_add_sync(mask, lane) + __reduce_max_sync(mask, lane) + __reduce_xor_sync(mask, lane);
  r += __shfl_sync(mask, r, 3) + __shfl_up_sync(mask, r, 1, 8);
  wide[lane] = __shfl_sync(mask, wide[lane], 5);
  r += __syncthreads_count(lane > 4) + __syncthreads_or(lane) + __syncthreads_and(lane);
  atomicAdd(&wide[3], 5ull);
  atomicExch(flag, 1u);
  atomicOr_block(flag, 2u);
  atomicAnd_system(flag, 7u);
  atomicInc(flag, 9u);
  __threadfence();
  __threadfence_block();
  __threadfence_system();
  unsigned seen;
  asm volatile("ld.global.acquire.gpu.b32 %0, [%1];" : "=r"(seen) : "l"(flag));
  asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(flag), "r"(seen + 1));
  asm volatile("red.release.gpu.global.add.s32 [%0], %1;" ::"l"(flag), "r"(1));
  asm volatile("fence.acq_rel.gpu;");
  while (*(volatile unsigned*)flag == 0) __nanosleep(20);
  clocks[lane] = clock64() + clock();
  unsigned a[4];
  asm volatile("ld.global.L1::no_allocate.L2::128B.v4.b32 {%0, %1, %2, %3}, [%4+16];" : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "l"(out));
  __syncwarp(mask);
  out[threadIdx.x + blockDim.x * blockIdx.x] = r + a[0] + a[1] + a[2] + a[3];
}
