// The gradient of a convolution's weights as the product of the output's gradients and the windows of x (tiles.cuh): a
// row is a filter of a group, a column a place (c, i, j) of the window. The sum goes over the output's cells
// (n, oy, ox) of the whole batch.
#include "tiles.cuh"

struct Shape {
    int N, FG, CG, H, W, KH, KW, OH, OW, SH, SW, top, left, DH, DW;
};

// An operand whose lines are channels of images (N, channels, plane): number k of a line is pixel k of the whole
// batch. Neighbouring threads load neighbours, and packs of them where no pack lies in two images.
template <int WIDTH, int THREADS> struct Channels {
    enum { COUNT = WIDTH * DEPTH / THREADS };

    const T* at;     // this thread's next pixel, in its first line
    long long jump;  // from an image's end of a line to the next image's
    int plane, pixel, place, line, lines;
    bool packed;
    T number[COUNT];

    // from       line 0, in the first image; lines from `count` on do not exist
    // channels   of an image
    __device__ __forceinline__ Channels(const T* from, long long channels, int plane, int count, int first)
        : plane(plane), packed(plane % LANES == 0)
    {
        int lanes = packed ? LANES : 1, width = DEPTH / lanes;
        place = threadIdx.x % width * lanes;
        line = threadIdx.x / width;
        lines = count;
        pixel = (first + place) % plane;
        jump = (channels - 1) * plane;
        at = from + ((first + place) / plane * channels + line) * plane + pixel;
    }

    __device__ __forceinline__ void fetch(int k, int last)
    {
        bool inside = k + place < last;
        if (packed) {
            enum { STEP = THREADS / (DEPTH / LANES) };
#pragma unroll
            for (int e = 0; e < COUNT / LANES; e++) {
                Pack pack =
                    inside && line + e * STEP < lines ? load_pack(at + (long long)(e * STEP) * plane) : zero_pack();
#pragma unroll
                for (int l = 0; l < LANES; l++) number[e * LANES + l] = pack.lane[l];
            }
        } else {
            enum { STEP = THREADS / DEPTH };
#pragma unroll
            for (int e = 0; e < COUNT; e++)
                number[e] = inside && line + e * STEP < lines ? at[(long long)(e * STEP) * plane] : T(0);
        }
        at += DEPTH;
        for (pixel += DEPTH; pixel >= plane; pixel -= plane) at += jump;
    }

    __device__ __forceinline__ void put(Lines<WIDTH>& to) const
    {
        if (packed) {
#pragma unroll
            for (int e = 0; e < COUNT; e++)
                to.at[place + e % LANES][line + e / LANES * (THREADS / (DEPTH / LANES))] = number[e];
        } else {
#pragma unroll
            for (int e = 0; e < COUNT; e++) to.at[place][line + e * (THREADS / DEPTH)] = number[e];
        }
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

// The right operand: eight neighbouring threads bring what neighbouring windows have in one place. The window moves on
// by DEPTH cells at a time: by so many columns, rows and images, and what carries over.
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

// Stores a tile to lines of dw, of `width` numbers each.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void store_lines(
    const Sums<ROWS, COLUMNS>& sums, int row0, int column0, int rows, int width, T* dw)
{
#pragma unroll
    for (int i = 0; i < SIDE; i++) {
        int row = row0 + sums.row(i);
        if (row >= rows) continue;
        T* line = dw + (long long)row * width;
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

// blockIdx.x is the tile, blockIdx.y the group, blockIdx.z a part of the sum, `length` long: dw holds as many arrays.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void tile_of_gradient(const T* dout, const T* x, T* dw, const Shape& s, int length)
{
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    __shared__ Places<COLUMNS> places;
    int down = (s.FG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int plane = s.OH * s.OW, first = blockIdx.z * length, last = min(first + length, s.N * plane);
    int F = gridDim.y * s.FG, f0 = blockIdx.y * s.FG, width = s.CG * s.KH * s.KW;
    places.fill(s, column0);

    Sums<ROWS, COLUMNS> sums;
    Channels<ROWS, THREADS> left(dout + (long long)(f0 + row0) * plane, F, plane, s.FG - row0, first);
    WindowCells<COLUMNS, THREADS> right(x, s, places, first);
    multiply(left, right, first, last, sums);
    store_lines(sums, row0, column0, s.FG, width, dw + ((long long)blockIdx.z * F + f0) * width);
}

extern "C" __global__ void __launch_bounds__(256, 2) gradient_large(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dw, int N, int FG, int CG, int H, int W,
    int KH, int KW, int OH, int OW, int SH, int SW, int top, int left, int DH, int DW, int length)
{
    Shape s = {N, FG, CG, H, W, KH, KW, OH, OW, SH, SW, top, left, DH, DW};
    tile_of_gradient<LARGE, LARGE>(dout, x, dw, s, length);
}

extern "C" __global__ void __launch_bounds__(64, 8) gradient_small(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dw, int N, int FG, int CG, int H, int W,
    int KH, int KW, int OH, int OW, int SH, int SW, int top, int left, int DH, int DW, int length)
{
    Shape s = {N, FG, CG, H, W, KH, KW, OH, OW, SH, SW, top, left, DH, DW};
    tile_of_gradient<SMALL, SMALL>(dout, x, dw, s, length);
}

// Windows of one pixel, one after the other: channels of dout times channels of x.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void tile_of_pixels(
    const T* dout, const T* x, T* dw, int N, int FG, int CG, int plane, int length)
{
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    int down = (FG + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int first = blockIdx.z * length, last = min(first + length, N * plane);
    int F = gridDim.y * FG, C = gridDim.y * CG, f0 = blockIdx.y * FG, c0 = blockIdx.y * CG;

    Sums<ROWS, COLUMNS> sums;
    Channels<ROWS, THREADS> left(dout + (long long)(f0 + row0) * plane, F, plane, FG - row0, first);
    Channels<COLUMNS, THREADS> right(x + (long long)(c0 + column0) * plane, C, plane, CG - column0, first);
    multiply(left, right, first, last, sums);
    store_lines(sums, row0, column0, FG, CG, dw + ((long long)blockIdx.z * F + f0) * CG);
}

extern "C" __global__ void __launch_bounds__(256, 2) pixels_large(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dw, int N, int FG, int CG, int plane,
    int length)
{
    tile_of_pixels<LARGE, LARGE>(dout, x, dw, N, FG, CG, plane, length);
}

extern "C" __global__ void __launch_bounds__(64, 6) pixels_small(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dw, int N, int FG, int CG, int plane,
    int length)
{
    tile_of_pixels<SMALL, SMALL>(dout, x, dw, N, FG, CG, plane, length);
}
