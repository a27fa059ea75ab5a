// Special registers.

static __device__ __forceinline__ unsigned int tailor_tid_x() { return threadIdx.x; }
static __device__ __forceinline__ unsigned int tailor_ctaid_x() { return blockIdx.x; }
static __device__ __forceinline__ unsigned int tailor_nctaid_x() { return gridDim.x; }
static __device__ __forceinline__ unsigned int tailor_ntid_x() { return blockDim.x; }
static __device__ __forceinline__ unsigned int tailor_laneid() {
  unsigned int result;
  asm("mov.u32 %0, %%laneid;" : "=r"(result));
  return result;
}
