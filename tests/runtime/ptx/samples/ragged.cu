// Copies rows of varying length: a vector body and a byte tail.
extern "C" __global__ void __launch_bounds__(256, 2)
ragged_copy(const unsigned char* __restrict__ src, unsigned char* __restrict__ dst, const int* __restrict__ offsets,
            int groups, long long stride) {
  for (int g = blockIdx.x; g < groups; g += gridDim.x) {
    int begin = offsets[g], end = offsets[g + 1];
    int bytes = end - begin;
    const uint4* s = reinterpret_cast<const uint4*>(src + g * stride);
    uint4* d = reinterpret_cast<uint4*>(dst + (long long)begin);
    for (int i = threadIdx.x; i < bytes / 16; i += blockDim.x) d[i] = __ldg(s + i);
    for (int i = bytes / 16 * 16 + threadIdx.x; i < bytes; i += blockDim.x) dst[begin + i] = src[g * stride + i];
  }
}
