// Hopper: tensor map copies, mbarriers, clusters, wgmma, warp specialisation; all through inline assembly.
#ifndef __CUDACC_RTC__
#include <stdint.h>
#else
typedef unsigned long long uint64_t;
#endif
struct alignas(64) TensorMap { char opaque[128]; };
__device__ __forceinline__ unsigned shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ __forceinline__ void wait(unsigned barrier, unsigned parity) {
  asm volatile("{\n.reg .pred p;\nWAIT:\nmbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1, 0x989680;\n@p bra DONE;\n"
               "bra WAIT;\nDONE:\n}" ::"r"(barrier), "r"(parity) : "memory");
}
__device__ __forceinline__ bool elected() {
  unsigned e;
  asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.b32 %0, 1, 0, p;\n}" : "=r"(e));
  return e;
}
extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(256, 1)
tensor(const __grid_constant__ TensorMap load_map, const __grid_constant__ TensorMap store_map, float* out, int tiles) {
  extern __shared__ __align__(1024) unsigned char smem[];
  __shared__ __align__(8) uint64_t full[2], empty[2];
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  const unsigned f = shared_address(full), e = shared_address(empty), tile = shared_address(smem);
  if (threadIdx.x == 0) {
    for (int s = 0; s < 2; ++s) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(f + 8 * s), "r"(1));
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 2;" ::"r"(e + 8 * s));
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("prefetch.tensormap [%0];" ::"l"(&load_map) : "memory");
  }
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
  if (threadIdx.x < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x < 32 && elected())
      for (int t = 0; t < tiles; ++t) {
        wait(e + 8 * (t & 1), (t / 2 & 1) ^ 1);
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(f + 8 * (t & 1)), "r"(16384));
        asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint "
                     "[%0], [%1, {%2, %3}], [%4], %5, %6;" ::"r"(tile + 16384 * (t & 1)), "l"(&load_map), "r"(64 * t),
                     "r"(-1), "r"(f + 8 * (t & 1)), "h"((unsigned short)3), "l"(0x12F0000000000000ull) : "memory");
      }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    float d[16] = {};
    for (int t = 0; t < tiles; ++t) {
      wait(f + 8 * (t & 1), t / 2 & 1);
      const uint64_t a = (tile >> 4) | 1ull << 62, b = a + 64;
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %18, 0;\n"
                   "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, "
                   "%13, %14, %15}, %16, %17, p, 1, 1, 0, 0;\n}"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]),
                     "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
                   : "l"(a), "l"(b), "r"(t));
      asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
      asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
      for (unsigned cta = 0; cta < 2; ++cta)
        asm volatile("{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %0, %1;\n"
                     "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n}" ::"r"(e + 8 * (t & 1)), "r"(cta));
    }
    unsigned packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(d[0]), "f"(d[1]));
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared::cta.b16 [%0], {%1, %1, %1, %1};" ::"r"(tile), "r"(packed));
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    asm volatile("bar.sync 1, 128;" ::: "memory");
    if (threadIdx.x == 128) {
      asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&store_map), "r"(0), "r"(rank), "r"(tile) : "memory");
      asm volatile("cp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;" ::: "memory");
    }
    out[threadIdx.x] = d[3] + d[15];
  }
  asm volatile("griddepcontrol.launch_dependents;");
}
