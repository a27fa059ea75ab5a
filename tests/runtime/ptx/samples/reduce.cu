// Block sums through shared memory and warp shuffles, joined by atomics.
__constant__ float scale[4] = {1.0f, 0.5f, 0.25f, 2.0f};
__device__ int visits = 3;
extern "C" __global__ void reduce(const float* x, float* out, int n, int which) {
  extern __shared__ __align__(16) float dynamic[];
  __shared__ float warp_sums[32];
  float sum = 0.f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
  dynamic[threadIdx.x] = sum;
  __syncthreads();
  sum = dynamic[threadIdx.x ^ 1] + sum;
  for (int delta = 16; delta > 0; delta /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, delta);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    float v = threadIdx.x < blockDim.x / 32 ? warp_sums[threadIdx.x] : 0.f;
    for (int delta = 16; delta > 0; delta /= 2) v += __shfl_down_sync(0xffffffffu, v, delta);
    if (threadIdx.x == 0) {
      atomicAdd(out, v * scale[which & 3]);
      atomicMax(&visits, n);
      atomicCAS(&visits, 4, 5);
    }
  }
}
