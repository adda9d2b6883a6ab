// The windows of images as the right operand of a product (tiles.cuh), without an array of columns: number
// k = (c*KH + i)*KW + j of column (n*OH + oy)*OW + ox is pixel (c, oy*SH - top + i*DH, ox*SW - left + j*DW) of image n.
#include "tiles.cuh"

struct Geometry {
    int N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW;

    __device__ __forceinline__ int columns() const { return N * OH * OW; }
};

// Where number k of a column is, from the column's first pixel: that many rows down and columns across, and in memory.
struct alignas(16) Tap {
    int offset, down, across;
};

// A thread brings numbers of one column. What k means is worked out once a block: the first DEPTH threads write the
// taps of the part after the next to shared memory, and no other divides.
template <int WIDTH, int THREADS> struct WindowTiles {
    enum { COUNT = WIDTH * DEPTH / THREADS, STEP = THREADS / WIDTH, FAR = -(1 << 30) };

    T number[COUNT];
    const Geometry& g;
    Tap* taps;       // 2 * DEPTH in shared memory: of the part that is fetched next, and of the one after it
    const T* pixel;  // the column's first, which may lie outside the image
    int y, x, turn;

    // images     the first channel that is read, of the first image
    // column0    the block's first column
    // first, last  the sum's first k, and its end
    __device__ __forceinline__ WindowTiles(
        const T* images, const Geometry& geometry, int column0, int first, int last, Tap* taps)
        : g(geometry), taps(taps), turn(0)
    {
        int column = column0 + threadIdx.x % WIDTH, inside = column < g.columns();
        int ox = column % g.OW, row = column / g.OW, oy = row % g.OH, n = row / g.OH;
        y = inside ? oy * g.SH - g.top : FAR;
        x = ox * g.SW - g.left;
        pixel = images + (long long)n * g.C * g.H * g.W + (oy * g.SH - g.top) * g.W + x;
        write_taps(first, last);
        __syncthreads();
    }

    __device__ __forceinline__ void write_taps(int k, int last)
    {
        if (threadIdx.x >= DEPTH) return;
        k += threadIdx.x;
        int j = k % g.KW, c = k / g.KW, i = c % g.KH;
        c /= g.KH;
        Tap tap;
        tap.down = k < last ? i * g.DH : FAR;
        tap.across = j * g.DW;
        tap.offset = (c * g.H + i * g.DH) * g.W + j * g.DW;
        taps[turn * DEPTH + threadIdx.x] = tap;
    }

    __device__ __forceinline__ void fetch(int k, int last)
    {
        const Tap* now = taps + turn * DEPTH + threadIdx.x / WIDTH;
#pragma unroll
        for (int e = 0; e < COUNT; e++) {
            Tap tap = now[e * STEP];
            bool inside = unsigned(y + tap.down) < unsigned(g.H) && unsigned(x + tap.across) < unsigned(g.W);
            number[e] = inside ? __ldg(pixel + tap.offset) : T(0);
        }
        // The other half was read a barrier ago, and this one is.
        turn ^= 1;
        write_taps(k + DEPTH, last);
    }

    __device__ __forceinline__ void put(Lines<WIDTH>& to) const
    {
#pragma unroll
        for (int e = 0; e < COUNT; e++) to.at[threadIdx.x / WIDTH + e * STEP][threadIdx.x % WIDTH] = number[e];
    }
};

// Stores a tile to images: number (i, n*size + p) of the product is pixel p of channel i of image n, plus its bias.
//
// out        the channel of row 0, of the first image
// b          of row 0 on, or null
// image      numbers from image to image
template <int ROWS, int COLUMNS, int UNROLLED>
__device__ __forceinline__ void store_images(
    const Sums<ROWS, COLUMNS, UNROLLED>& sums, int row0, int column0, int rows, int columns, int size, long long image,
    const T* b, T* out)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int column = column0 + sums.column(half * LANES);
        if (size % LANES == 0) {
            if (column >= columns) continue;
            T* to = out + column / size * image + column % size;
#pragma unroll
            for (int i = 0; i < SIDE; i++) {
                int row = row0 + sums.row(i);
                if (row >= rows) continue;
                Pack pack = sums.pack(i, half);
                T bias = b ? b[row] : T(0);
#pragma unroll
                for (int l = 0; l < LANES; l++) pack.lane[l] += bias;
                store_pack(to + (long long)row * size, pack);
            }
        } else {
#pragma unroll
            for (int l = 0; l < LANES; l++) {
                if (column + l >= columns) continue;
                T* to = out + (column + l) / size * image + (column + l) % size;
#pragma unroll
                for (int i = 0; i < SIDE; i++) {
                    int row = row0 + sums.row(i);
                    if (row < rows) to[(long long)row * size] = sums.at[i][half * LANES + l] + (b ? b[row] : T(0));
                }
            }
        }
    }
}
