// The gradient of a convolution's weights as the product of the output's gradients and the windows of x (tiles.cuh): a row
// is a filter of a group, a column a place (c, i, j) of the window. The sum goes over the output's cells (n, oy, ox) of
// the whole batch.
#include "tiles.cuh"

struct Shape {
    int N, FG, CG, H, W, KH, KW, OH, OW, SH, SW, top, left, DH, DW;
};

// The left operand: eight neighbouring threads bring neighbouring cells of one filter.
template <int WIDTH, int THREADS> struct Gradients {
    enum { COUNT = WIDTH * DEPTH / THREADS, STEP = THREADS / DEPTH };

    const T* at;  // this thread's next cell, of its first filter
    long long jump;  // from the end of an image's filter to the next image's
    int plane, cell, lines;
    T number[COUNT];

    __device__ __forceinline__ Gradients(const T* dout, const Shape& s, int row0, int first)
        : plane(s.OH * s.OW), lines(s.FG - row0 - int(threadIdx.x / DEPTH))
    {
        long long F = (long long)gridDim.y * s.FG;
        int k = first + threadIdx.x % DEPTH;
        cell = k % plane;
        jump = (F - 1) * plane;
        at = dout + (k / plane * F + blockIdx.y * s.FG + row0 + threadIdx.x / DEPTH) * plane + cell;
    }

    __device__ __forceinline__ void fetch(int k, int last)
    {
        bool inside = k + int(threadIdx.x % DEPTH) < last;
#pragma unroll
        for (int e = 0; e < COUNT; e++)
            number[e] = inside && e * STEP < lines ? at[(long long)(e * STEP) * plane] : T(0);
        at += DEPTH;
        for (cell += DEPTH; cell >= plane; cell -= plane) at += jump;
    }

    __device__ __forceinline__ void put(Lines<WIDTH>& to) const
    {
#pragma unroll
        for (int e = 0; e < COUNT; e++)
            to.at[threadIdx.x % DEPTH][threadIdx.x / DEPTH + e * STEP] = number[e];
    }
};

// What the right operand's columns are: where in an image each reads, from where the window begins.
template <int WIDTH> struct Places {
    int offset[WIDTH], down[WIDTH], right[WIDTH];

    __device__ __forceinline__ void fill(const Shape& s, int column0)
    {
        for (int line = threadIdx.x; line < WIDTH; line += blockDim.x) {
            int j = (column0 + line) % s.KW, i = (column0 + line) / s.KW % s.KH, c = (column0 + line) / (s.KW * s.KH);
            down[line] = c < s.CG ? i * s.DH : 1 << 30;  // a column past the last lies below every image
            right[line] = j * s.DW;
            offset[line] = (c * s.H + i * s.DH) * s.W + j * s.DW;
        }
        __syncthreads();
    }
};

// The right operand: eight neighbouring threads bring what neighbouring windows have in one place. The window moves on by
// DEPTH cells at a time: by so many columns, rows and images, and what carries over.
template <int WIDTH, int THREADS> struct WindowCells {
    enum { COUNT = WIDTH * DEPTH / THREADS, STEP = THREADS / DEPTH };

    const Shape& s;
    const Places<WIDTH>& places;
    const T* x;  // the group's channels in the first image
    int n, oy, ox;
    T number[COUNT];

    __device__ __forceinline__ WindowCells(const T* x, const Shape& s, const Places<WIDTH>& places, int first)
        : s(s), places(places), x(x + (long long)blockIdx.y * s.CG * s.H * s.W)
    {
        int k = first + threadIdx.x % DEPTH;
        n = k / (s.OH * s.OW);
        oy = k / s.OW % s.OH;
        ox = k % s.OW;
    }

    __device__ __forceinline__ void fetch(int k, int last)
    {
        bool known = k + int(threadIdx.x % DEPTH) < last;
        int y = oy * s.SH - s.top, column = ox * s.SW - s.left;
        const T* from = x + (long long)n * gridDim.y * s.CG * s.H * s.W + y * s.W + column;
#pragma unroll
        for (int e = 0; e < COUNT; e++) {
            int line = threadIdx.x / DEPTH + e * STEP;
            bool inside = unsigned(y + places.down[line]) < unsigned(s.H) &&
                          unsigned(column + places.right[line]) < unsigned(s.W);
            number[e] = known && inside ? from[places.offset[line]] : T(0);
        }
        ox += DEPTH % s.OW;
        oy += DEPTH / s.OW % s.OH;
        n += DEPTH / (s.OW * s.OH);
        if (ox >= s.OW) {
            ox -= s.OW;
            oy++;
        }
        if (oy >= s.OH) {
            oy -= s.OH;
            n++;
        }
    }

    __device__ __forceinline__ void put(Lines<WIDTH>& to) const
    {
#pragma unroll
        for (int e = 0; e < COUNT; e++)
            to.at[threadIdx.x % DEPTH][threadIdx.x / DEPTH + e * STEP] = number[e];
    }
};

// blockIdx.x is the tile, blockIdx.y the group, blockIdx.z a part of the sum, `length` long: dw holds as many arrays.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void tile_of_gradient(const T* dout, const T* x, T* dw, const Shape& s, int length)
{
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    __shared__ Places<COLUMNS> places;
    int down = (s.FG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int width = s.CG * s.KH * s.KW, first = blockIdx.z * length, last = min(first + length, s.N * s.OH * s.OW);
    places.fill(s, column0);

    Sums<ROWS, COLUMNS> sums;
    Gradients<ROWS, THREADS> left(dout, s, row0, first);
    WindowCells<COLUMNS, THREADS> right(x, s, places, first);
    multiply(left, right, first, last, sums);

#pragma unroll
    for (int i = 0; i < SIDE; i++) {
        int row = row0 + sums.row(i);
        if (row >= s.FG) continue;
        T* line = dw + (((long long)blockIdx.z * gridDim.y + blockIdx.y) * s.FG + row) * width;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int column = column0 + sums.column(half * LANES);
            if (width % LANES == 0) {
                if (column < width) store_pack(line + column, sums.pack(i, half));
            } else {
#pragma unroll
                for (int l = 0; l < LANES; l++)
                    if (column + l < width) line[column + l] = sums.at[i][half * LANES + l];
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2) gradient_large(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dw, int N, int FG, int CG, int H, int W, int KH,
    int KW, int OH, int OW, int SH, int SW, int top, int left, int DH, int DW, int length)
{
    Shape s = {N, FG, CG, H, W, KH, KW, OH, OW, SH, SW, top, left, DH, DW};
    tile_of_gradient<LARGE, LARGE>(dout, x, dw, s, length);
}

extern "C" __global__ void __launch_bounds__(64) gradient_small(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dw, int N, int FG, int CG, int H, int W, int KH,
    int KW, int OH, int OW, int SH, int SW, int top, int left, int DH, int DW, int length)
{
    Shape s = {N, FG, CG, H, W, KH, KW, OH, OW, SH, SW, top, left, DH, DW};
    tile_of_gradient<SMALL, SMALL>(dout, x, dw, s, length);
}
