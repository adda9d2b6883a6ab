// Softmax over the channels, and its gradient. *_rows: a position stands alone, its channels side by side, and a block takes
// it. *_positions: many positions stand side by side, and each has a thread.
#include "wide.cuh"
#include "reduce.cuh"

// exp(value - largest); 0 for -inf, of which the largest may be one.
template <class V> __device__ __forceinline__ V weight(V value, V largest)
{
    return exp(value == -infinite() ? value : value - largest);
}

// The largest of the numbers seen, and the sum of their exponentials less the largest: made smaller where a larger one
// comes. Milakov & Gimelshein, arXiv:1805.02867, algorithm 3
template <class Sum> struct Seen {
    T largest = -infinite();
    Sum total = 0;

    __device__ __forceinline__ void join(T other, Sum others)
    {
        T both = max(largest, other);
        total = total * weight(largest, both) + others * weight(other, both);
        largest = both;
    }
};

__device__ __forceinline__ Seen<T> block_joined(Seen<T> seen)
{
    __shared__ T largest[MOST_WARPS], total[MOST_WARPS];
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, seen.largest, mask);
        seen.join(other, __shfl_xor_sync(0xffffffffu, seen.total, mask));
    }
    if (threadIdx.x % WARP == 0) {
        largest[threadIdx.x / WARP] = seen.largest;
        total[threadIdx.x / WARP] = seen.total;
    }
    __syncthreads();
    seen.largest = largest[0];
    seen.total = total[0];
    for (int warp = 1; warp < int(blockDim.x) / WARP; warp++) seen.join(largest[warp], total[warp]);
    return seen;
}

template <int WIDTH>
__device__ __forceinline__ void forward_row(const T* __restrict__ x, int C, T* __restrict__ out)
{
    Seen<T> seen;
    for (int c = threadIdx.x * WIDTH; c < C; c += blockDim.x * WIDTH) {
        Wide<WIDTH> value = load_wide<WIDTH>(x + c);
        for (int l = 0; l < WIDTH; l++) seen.join(value.lane[l], 1);
    }
    seen = block_joined(seen);
    for (int c = threadIdx.x * WIDTH; c < C; c += blockDim.x * WIDTH) {
        Wide<WIDTH> value = load_wide<WIDTH>(x + c);
        for (int l = 0; l < WIDTH; l++) value.lane[l] = exp(value.lane[l] - seen.largest) / seen.total;
        store_wide<WIDTH>(out + c, value);
    }
}

extern "C" __global__ void softmax_forward_rows(const T* __restrict__ x, int C, int wide, T* __restrict__ out)
{
    long long row = (long long)blockIdx.x * C;
    if (wide)
        forward_row<LANES>(x + row, C, out + row);
    else
        forward_row<1>(x + row, C, out + row);
}

extern "C" __global__ void softmax_forward_positions(
    const T* __restrict__ x, int N, int C, int P, T* __restrict__ out)
{
    int p = blockIdx.x * blockDim.x + threadIdx.x;
    if (p >= P) return;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long at = (long long)n * C * P + p;
        Seen<double> seen;  // one thread adds up all of them
        for (int c = 0; c < C; c++) seen.join(x[at + c * P], 1);
        T share = T(1 / seen.total);
        for (int c = 0; c < C; c++) out[at + c * P] = exp(x[at + c * P] - seen.largest) * share;
    }
}

template <int WIDTH>
__device__ __forceinline__ void backward_row(
    const T* __restrict__ dout, const T* __restrict__ out, int C, T* __restrict__ dx)
{
    T total = 0;
    for (int c = threadIdx.x * WIDTH; c < C; c += blockDim.x * WIDTH) {
        Wide<WIDTH> gradient = load_wide<WIDTH>(dout + c), share = load_wide<WIDTH>(out + c);
        for (int l = 0; l < WIDTH; l++) total += gradient.lane[l] * share.lane[l];
    }
    total = block_sum(total);
    for (int c = threadIdx.x * WIDTH; c < C; c += blockDim.x * WIDTH) {
        Wide<WIDTH> gradient = load_wide<WIDTH>(dout + c), share = load_wide<WIDTH>(out + c);
        for (int l = 0; l < WIDTH; l++) gradient.lane[l] = share.lane[l] * (gradient.lane[l] - total);
        store_wide<WIDTH>(dx + c, gradient);
    }
}

extern "C" __global__ void softmax_backward_rows(
    const T* __restrict__ dout, const T* __restrict__ out, int C, int wide, T* __restrict__ dx)
{
    long long row = (long long)blockIdx.x * C;
    if (wide)
        backward_row<LANES>(dout + row, out + row, C, dx + row);
    else
        backward_row<1>(dout + row, out + row, C, dx + row);
}

extern "C" __global__ void softmax_backward_positions(
    const T* __restrict__ dout, const T* __restrict__ out, int N, int C, int P, T* __restrict__ dx)
{
    int p = blockIdx.x * blockDim.x + threadIdx.x;
    if (p >= P) return;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long at = (long long)n * C * P + p;
        double total = 0;  // one thread adds up all of them
        for (int c = 0; c < C; c++) total += (double)dout[at + c * P] * out[at + c * P];
        for (int c = 0; c < C; c++) dx[at + c * P] = T(out[at + c * P] * (dout[at + c * P] - total));
    }
}
