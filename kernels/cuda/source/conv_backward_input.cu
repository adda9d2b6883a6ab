// The gradient of a convolution's input, one phase of the stride at a time (phases.cuh), as the product of the weights
// and the output's gradients (tiles.cuh): a row is a channel of a group, a column a pixel of the phase, counted over
// the whole batch. Windows of one pixel are a product of what lies in memory.
#include "phases.cuh"
#include "window_tiles.cuh"

// The weights in the order in which the sum reads them: out[g, a*columns + b, f, c] = w[g*FG + f, c, i, j] with
// i = row + row_step*a and j = column + column_step*b; 0 where there is no filter f or channel c.
extern "C" __global__ void turn_weights(
    const T* __restrict__ w, T* __restrict__ out, int groups, int FG, int CG, int KH, int KW, int filters,
    int channels, int row, int row_step, int rows, int column, int column_step, int columns)
{
    long long at = thread_of_grid(), plane = (long long)filters * channels;
    if (at >= groups * plane) return;
    int c = at % channels, f = at / channels % filters, g = at / plane;
    bool known = f < FG && c < CG;
    w += ((g * FG + f) * (long long)CG + c) * KH * KW;
    out += g * plane * rows * columns + at % plane;
    for (int a = 0; a < rows; a++)
        for (int b = 0; b < columns; b++) {
            *out = known ? w[(row + row_step * a) * KW + column + column_step * b] : T(0);
            out += plane;
        }
}

// The product's right operand: each thread brings numbers of one pixel.
template <int WIDTH, int THREADS> struct Cells {
    enum { COUNT = WIDTH * DEPTH / THREADS, STEP = THREADS / WIDTH };

    const Shape& s;
    const Axis &rows, &columns;
    Pixel pixel;
    T number[COUNT];

    __device__ __forceinline__ Cells(
        const T* dout, const Shape& s, const Axis& rows, const Axis& columns, int column0, int first)
        : s(s), rows(rows), columns(columns),
          pixel(dout, s, rows, columns, column0 + threadIdx.x % WIDTH, first + threadIdx.x / WIDTH)
    {
    }

    __device__ __forceinline__ void fetch(int, int)
    {
        bool meets = pixel.meets(s);
        const T* met = pixel.met(s);
#pragma unroll
        for (int e = 0; e < COUNT; e++)
            number[e] = meets && pixel.f + e * STEP < s.FG ? met[(long long)(e * STEP) * (s.OH * s.OW)] : T(0);
        pixel.advance(s, rows, columns);
    }

    __device__ __forceinline__ void put(Lines<WIDTH>& to) const
    {
#pragma unroll
        for (int e = 0; e < COUNT; e++) to.at[threadIdx.x / WIDTH + e * STEP][threadIdx.x % WIDTH] = number[e];
    }
};

// blockIdx.x is the tile, blockIdx.y the group, blockIdx.z a part of the sum, `length` long: dx holds as many arrays.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void tile_of_gradient(
    const T* dout, const T* weights, T* dx, const Shape& s, const Axis& rows, const Axis& columns, int length)
{
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    int down = (s.CG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int depth = rows.taps * columns.taps * s.filters, first = blockIdx.z * length, last = min(first + length, depth);
    weights += (long long)blockIdx.y * depth * s.channels + row0;

    Sums<ROWS, COLUMNS> sums;
    Matrix<ROWS, THREADS> left(weights, s.channels, false, s.CG - row0, first, true);
    Cells<COLUMNS, THREADS> right(dout, s, rows, columns, column0, first);
    multiply(left, right, first, last, sums);

    int plane = s.H * s.W;
    bool packed = rows.step == 1 && columns.step == 1 && plane % LANES == 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int column = column0 + sums.column(half * LANES);
        if (packed) {
            T* to = place_of(dx, s, rows, columns, column);
#pragma unroll
            for (int i = 0; i < SIDE; i++)
                if (to && row0 + sums.row(i) < s.CG)
                    store_pack(to + (long long)(row0 + sums.row(i)) * plane, sums.pack(i, half));
        } else {
#pragma unroll
            for (int l = 0; l < LANES; l++) {
                T* to = place_of(dx, s, rows, columns, column + l);
#pragma unroll
                for (int i = 0; i < SIDE; i++)
                    if (to && row0 + sums.row(i) < s.CG)
                        to[(long long)(row0 + sums.row(i)) * plane] = sums.at[i][half * LANES + l];
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2) gradient_large(
    const T* __restrict__ dout, const T* __restrict__ weights, T* __restrict__ dx, int N, int FG, int CG, int H,
    int W, int OH, int OW, int filters, int channels, int y_first, int y_count, int y_step, int y_taps, int y_cell,
    int y_back, int x_first, int x_count, int x_step, int x_taps, int x_cell, int x_back, int length)
{
    Shape s = {N, FG, CG, H, W, OH, OW, filters, channels};
    Axis rows = {y_first, y_count, y_step, y_taps, y_cell, y_back};
    Axis columns = {x_first, x_count, x_step, x_taps, x_cell, x_back};
    tile_of_gradient<LARGE, LARGE>(dout, weights, dx, s, rows, columns, length);
}

extern "C" __global__ void __launch_bounds__(64, 8) gradient_small(
    const T* __restrict__ dout, const T* __restrict__ weights, T* __restrict__ dx, int N, int FG, int CG, int H,
    int W, int OH, int OW, int filters, int channels, int y_first, int y_count, int y_step, int y_taps, int y_cell,
    int y_back, int x_first, int x_count, int x_step, int x_taps, int x_cell, int x_back, int length)
{
    Shape s = {N, FG, CG, H, W, OH, OW, filters, channels};
    Axis rows = {y_first, y_count, y_step, y_taps, y_cell, y_back};
    Axis columns = {x_first, x_count, x_step, x_taps, x_cell, x_back};
    tile_of_gradient<SMALL, SMALL>(dout, weights, dx, s, rows, columns, length);
}

// Up to 4 channels, those of a picture: a tile's rows would be empty but for them. A thread has all channels of PIXELS
// pixels, and reads each weight, which all threads want at the same time, through the cache.
enum { FEW = 4, PIXELS = 4 };

extern "C" __global__ void __launch_bounds__(256) gradient_few(
    const T* __restrict__ dout, const T* __restrict__ weights, T* __restrict__ dx, int N, int FG, int CG, int H,
    int W, int OH, int OW, int filters, int channels, int y_first, int y_count, int y_step, int y_taps, int y_cell,
    int y_back, int x_first, int x_count, int x_step, int x_taps, int x_cell, int x_back, int length)
{
    Shape s = {N, FG, CG, H, W, OH, OW, filters, channels};
    Axis rows = {y_first, y_count, y_step, y_taps, y_cell, y_back};
    Axis columns = {x_first, x_count, x_step, x_taps, x_cell, x_back};
    int depth = y_taps * x_taps * filters, first = blockIdx.z * length, last = min(first + length, depth);
    int pixel0 = blockIdx.x * (blockDim.x * PIXELS) + threadIdx.x;
    Pixel pixels[PIXELS] = {
        Pixel(dout, s, rows, columns, pixel0, first),
        Pixel(dout, s, rows, columns, pixel0 + blockDim.x, first),
        Pixel(dout, s, rows, columns, pixel0 + 2 * blockDim.x, first),
        Pixel(dout, s, rows, columns, pixel0 + 3 * blockDim.x, first)};
    T sums[PIXELS][FEW];
#pragma unroll
    for (int p = 0; p < PIXELS; p++)
#pragma unroll
        for (int c = 0; c < FEW; c++) sums[p][c] = T(0);
    weights += ((long long)blockIdx.y * depth + first) * FEW;
    for (int k = first; k < last; k += DEPTH) {
#pragma unroll
        for (int ahead = 0; ahead < DEPTH; ahead++, weights += FEW) {
            T weight[FEW];
#pragma unroll
            for (int c = 0; c < FEW; c += LANES) {
                Pack pack = load_pack(weights + c);
#pragma unroll
                for (int l = 0; l < LANES; l++) weight[c + l] = pack.lane[l];
            }
#pragma unroll
            for (int p = 0; p < PIXELS; p++) {
                bool meets = pixels[p].meets(s) && pixels[p].f + ahead < FG;
                T number = meets ? pixels[p].met(s)[(long long)ahead * (OH * OW)] : T(0);
#pragma unroll
                for (int c = 0; c < FEW; c++) sums[p][c] += weight[c] * number;
            }
        }
#pragma unroll
        for (int p = 0; p < PIXELS; p++) pixels[p].advance(s, rows, columns);
    }
#pragma unroll
    for (int p = 0; p < PIXELS; p++) {
        T* to = place_of(dx, s, rows, columns, pixel0 + p * blockDim.x);
#pragma unroll
        for (int c = 0; c < FEW; c++)
            if (to && c < CG) to[(long long)c * H * W] = sums[p][c];
    }
}

// Windows of one pixel, one after the other: an image's gradients (FG, plane) are the matrix as it lies, and so are the
// weights (FG, CG), turned.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void tile_of_pixels(
    const T* dout, const T* w, T* dx, int N, int FG, int CG, int plane, int length)
{
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    int down = (CG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int first = blockIdx.z * length, last = min(first + length, FG), columns = N * plane;
    long long F = gridDim.y * FG, C = gridDim.y * CG, f0 = blockIdx.y * FG, c0 = blockIdx.y * CG;

    Sums<ROWS, COLUMNS> sums;
    Matrix<ROWS, THREADS> left(w + f0 * CG + row0, CG, false, CG - row0, first, CG % LANES == 0);
    Matrix<COLUMNS, THREADS> right(dout + f0 * plane, plane, false, columns - column0, first, plane % LANES == 0);
    int column = column0 + right.line, n = column / plane;
    right.move(n * F * plane + (column - n * plane) - right.line);
    multiply(left, right, first, last, sums);
    dx += (blockIdx.z * N * C + c0) * plane;
    store_images(sums, row0, column0, CG, columns, plane, C * plane, nullptr, dx);
}

extern "C" __global__ void __launch_bounds__(256, 2) pixels_large(
    const T* __restrict__ dout, const T* __restrict__ w, T* __restrict__ dx, int N, int FG, int CG, int plane,
    int length)
{
    tile_of_pixels<LARGE, LARGE>(dout, w, dx, N, FG, CG, plane, length);
}

extern "C" __global__ void __launch_bounds__(64, 8) pixels_small(
    const T* __restrict__ dout, const T* __restrict__ w, T* __restrict__ dx, int N, int FG, int CG, int plane,
    int length)
{
    tile_of_pixels<SMALL, SMALL>(dout, w, dx, N, FG, CG, plane, length);
}
