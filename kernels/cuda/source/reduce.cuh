// Sums over the threads of a block: by shuffles within a warp, then over the warps' results in shared memory. The order of
// adding is fixed, so that the same numbers give the same sum every time. Every thread of the block calls.

enum { WARP = 32, MOST_WARPS = 32 };

template <class V> __device__ __forceinline__ V warp_sum(V value)
{
    for (int mask = WARP / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(0xffffffffu, value, mask);
    return value;
}

template <class V> __device__ __forceinline__ V block_sum(V value)
{
    __shared__ V of_warp[MOST_WARPS];
    value = warp_sum(value);
    if (threadIdx.x % WARP == 0) of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    V total = of_warp[0];
    for (int warp = 1; warp < int(blockDim.x) / WARP; warp++) total += of_warp[warp];
    __syncthreads();  // before of_warp is used again
    return total;
}
