// Up to four inputs side by side in the rows of out, beginning at `first`: an input is the z of the grid, an image its y.
#include "wide.cuh"

template <int WIDTH>
__device__ __forceinline__ void copy(
    const T* __restrict__ x, long long length, long long first, long long N, long long whole, T* __restrict__ out)
{
    for (long long n = blockIdx.y; n < N; n += gridDim.y)
        for (long long i = WIDTH * thread_of_grid(); i < length; i += (long long)WIDTH * gridDim.x * blockDim.x)
            store_wide<WIDTH>(out + n * whole + first + i, load_wide<WIDTH>(x + n * length + i));
}

extern "C" __global__ void concat(
    const T* __restrict__ x0, const T* __restrict__ x1, const T* __restrict__ x2, const T* __restrict__ x3,
    long long length0, long long length1, long long length2, long long length3, long long first, long long N,
    long long whole, T* __restrict__ out)
{
    const T* x = x0;
    long long length = length0;
    if (blockIdx.z > 0) x = x1, first += length0, length = length1;
    if (blockIdx.z > 1) x = x2, first += length1, length = length2;
    if (blockIdx.z > 2) x = x3, first += length2, length = length3;
    if (length % LANES == 0 && first % LANES == 0 && whole % LANES == 0)
        copy<LANES>(x, length, first, N, whole, out);
    else
        copy<1>(x, length, first, N, whole, out);
}
