// The sums of batch normalisation, in float64. A channel's M numbers, N pieces of P in a row, are cut into parts: the x of the
// grid; its y goes through the channels. A thread holds EACH numbers of a part, WIDTH loaded at once, so that all its loads
// are under way together. Then one block a channel puts the parts together, in order.
#include "wide.cuh"
#include "reduce.cuh"

enum { EACH = 64 / sizeof(T) };

// This thread's numbers of a part; 0 where the channel has ended, and no number is there.
template <int WIDTH> struct Held {
    T value[EACH];
    int count = 0;  // of them, the first ones, that are there

    __device__ __forceinline__ Held(const T* __restrict__ x, int c, int C, int P, int M)
    {
        int first = blockIdx.x * blockDim.x * EACH + threadIdx.x * WIDTH;
#pragma unroll
        for (int k = 0; k < EACH / WIDTH; k++) {
            int m = first + k * blockDim.x * WIDTH;
            Wide<WIDTH> loaded = {};
            if (m < M) {
                loaded = load_wide<WIDTH>(x + ((long long)(m / P) * C + c) * P + m % P);
                count += WIDTH;
            }
#pragma unroll
            for (int l = 0; l < WIDTH; l++) value[k * WIDTH + l] = loaded.lane[l];
        }
    }
};

template <int WIDTH>
__device__ __forceinline__ void moments_of(const T* __restrict__ x, int C, int P, int M, double* __restrict__ out)
{
    int length = blockDim.x * EACH, count = min(length, M - int(blockIdx.x) * length);
    for (int c = blockIdx.y; c < C; c += gridDim.y) {
        Held<WIDTH> held(x, c, C, P, M);
        double total = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < EACH; i++) total += held.value[i];
        double mean = block_sum(total) / count;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            double away = held.value[i] - mean;
            if (i < held.count) squares += away * away;
        }
        squares = block_sum(squares);
        if (threadIdx.x == 0) {
            double* to = out + ((long long)c * gridDim.x + blockIdx.x) * 2;
            to[0] = mean;
            to[1] = squares;
        }
    }
}

// moments[c, part] = (the part's mean, the sum of its squared distances from it)
extern "C" __global__ void __launch_bounds__(256, 1) moments(
    const T* __restrict__ x, int C, int P, int M, int wide, double* __restrict__ moments)
{
    if (wide)
        moments_of<LANES>(x, C, P, M, moments);
    else
        moments_of<1>(x, C, P, M, moments);
}

// Every part has `length` numbers of the channel's M, the last one what is left.
extern "C" __global__ void __launch_bounds__(256) join(
    const double* __restrict__ moments, int parts, int length, int M, double* __restrict__ mean,
    double* __restrict__ var)
{
    const double* of_channel = moments + (long long)blockIdx.x * parts * 2;
    double total = 0, squares = 0;
    for (int part = threadIdx.x; part < parts; part += blockDim.x)
        total += min(length, M - part * length) * of_channel[part * 2];
    double own = block_sum(total) / M;
    for (int part = threadIdx.x; part < parts; part += blockDim.x) {
        double away = of_channel[part * 2] - own;
        squares += of_channel[part * 2 + 1] + min(length, M - part * length) * away * away;
    }
    squares = block_sum(squares);
    if (threadIdx.x == 0) {
        mean[blockIdx.x] = own;
        var[blockIdx.x] = squares / M;
    }
}

template <int WIDTH>
__device__ __forceinline__ void part_sums_of(
    const T* __restrict__ dout, const T* __restrict__ x, const double* __restrict__ mean, int C, int P, int M,
    double* __restrict__ out)
{
    for (int c = blockIdx.y; c < C; c += gridDim.y) {
        Held<WIDTH> gradient(dout, c, C, P, M), held(x, c, C, P, M);
        double products = 0, total = 0;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            total += gradient.value[i];
            if (i < held.count) products += gradient.value[i] * (held.value[i] - mean[c]);
        }
        products = block_sum(products);
        total = block_sum(total);
        if (threadIdx.x == 0) {
            double* to = out + ((long long)c * gridDim.x + blockIdx.x) * 2;
            to[0] = products;
            to[1] = total;
        }
    }
}

// sums[c, part] = (sum of dout * (x - mean), sum of dout)
extern "C" __global__ void __launch_bounds__(256, 1) part_sums(
    const T* __restrict__ dout, const T* __restrict__ x, const double* __restrict__ mean, int C, int P, int M, int wide,
    double* __restrict__ sums)
{
    if (wide)
        part_sums_of<LANES>(dout, x, mean, C, P, M, sums);
    else
        part_sums_of<1>(dout, x, mean, C, P, M, sums);
}

extern "C" __global__ void __launch_bounds__(256) total(
    const double* __restrict__ sums, const double* __restrict__ inverse_std, int parts, double* __restrict__ dw,
    double* __restrict__ db)
{
    const double* of_channel = sums + (long long)blockIdx.x * parts * 2;
    double products = 0, gradients = 0;
    for (int part = threadIdx.x; part < parts; part += blockDim.x) {
        products += of_channel[part * 2];
        gradients += of_channel[part * 2 + 1];
    }
    products = block_sum(products);
    gradients = block_sum(gradients);
    if (threadIdx.x == 0) {
        dw[blockIdx.x] = products * inverse_std[blockIdx.x];
        db[blockIdx.x] = gradients;
    }
}
