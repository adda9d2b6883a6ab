// The forward pass of a convolution as a product by tiles: the filters (F, CG*KH*KW) times the windows of the whole
// batch. blockIdx.x is the tile, those of a column first, blockIdx.y the group, blockIdx.z a part of the sum, `length`
// long: with more than one, out holds as many times all of the outputs, one a part.
#include "window_tiles.cuh"

template <int ROWS, int COLUMNS>
__device__ __forceinline__ void convolve(
    const T* x, const T* w, const T* b, T* out, const Geometry& g, int FG, int CG, int length)
{
    int F = FG * gridDim.y, K = CG * g.KH * g.KW, size = g.OH * g.OW;
    int down = (FG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int first = blockIdx.z * length, last = min(first + length, K), f0 = blockIdx.y * FG;
    out += ((long long)blockIdx.z * g.N * F + f0) * size;

    __shared__ Tap taps[2 * DEPTH];
    Sums<ROWS, COLUMNS, ROWS == LARGE ? 2 : 4> sums;
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    const T* filters = w + (long long)(f0 + row0) * K;
    Matrix<ROWS, THREADS> left(filters, K, true, FG - row0, first, ROWS == LARGE || K % LANES == 0);
    WindowTiles<COLUMNS, THREADS> right(
        x + (long long)blockIdx.y * CG * g.H * g.W, g, column0, first, last, taps);
    multiply(left, right, first, last, sums);
    store_images(sums, row0, column0, FG, g.columns(), size, (long long)F * size, b ? b + f0 : b, out);
}

extern "C" __global__ void __launch_bounds__(256, BESIDE) conv_large(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, T* __restrict__ out, int N, int C,
    int H, int W, int KH, int KW, int SH, int SW, int DH, int DW, int top, int left, int OH, int OW, int FG, int CG,
    int length)
{
    Geometry g = {N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW};
    convolve<LARGE, LARGE>(x, w, b, out, g, FG, CG, length);
}

extern "C" __global__ void __launch_bounds__(64) conv_small(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, T* __restrict__ out, int N, int C,
    int H, int W, int KH, int KW, int SH, int SW, int DH, int DW, int top, int left, int OH, int OW, int FG, int CG,
    int length)
{
    Geometry g = {N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW};
    convolve<SMALL, SMALL>(x, w, b, out, g, FG, CG, length);
}

// Windows of one pixel, one after the other: an image (CG, size) is the matrix as it lies.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void convolve_pixels(
    const T* x, const T* w, const T* b, T* out, int N, int size, int FG, int CG, int length)
{
    int F = FG * gridDim.y, C = CG * gridDim.y, K = CG, columns = N * size;
    int down = (FG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int first = blockIdx.z * length, last = min(first + length, K), f0 = blockIdx.y * FG;
    out += ((long long)blockIdx.z * N * F + f0) * size;

    Sums<ROWS, COLUMNS, ROWS == LARGE ? 2 : 4> sums;
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    const T* filters = w + (long long)(f0 + row0) * K;
    Matrix<ROWS, THREADS> left(filters, K, true, FG - row0, first, ROWS == LARGE || K % LANES == 0);
    Matrix<COLUMNS, THREADS> right(
        x + (long long)blockIdx.y * K * size, size, false, columns - column0, first,
        ROWS == LARGE || size % LANES == 0);
    int column = column0 + right.line, n = column / size;
    right.move((long long)n * C * size + (column - n * size) - right.line);
    multiply(left, right, first, last, sums);
    store_images(sums, row0, column0, FG, columns, size, (long long)F * size, b ? b + f0 : b, out);
}

extern "C" __global__ void __launch_bounds__(256, BESIDE) pixels_large(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, T* __restrict__ out, int N, int size,
    int FG, int CG, int length)
{
    convolve_pixels<LARGE, LARGE>(x, w, b, out, N, size, FG, CG, length);
}

extern "C" __global__ void __launch_bounds__(64) pixels_small(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, T* __restrict__ out, int N, int size,
    int FG, int CG, int length)
{
    convolve_pixels<SMALL, SMALL>(x, w, b, out, N, size, FG, CG, length);
}
