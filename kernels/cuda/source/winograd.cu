// Winograd's transforms for F(4x4, 3x3), a tile of 6x6 numbers a thread, in registers; the products between them are
// those of matmul.cu. Neighbouring threads have neighbouring tiles, so that every load and store of a transformed
// number is one of 128 bytes a warp.
#include "common.cuh"

// tile = L tile L', L (to, from) by `line`, which takes one line in place.
template <int FROM, int TO, class Line> __device__ __forceinline__ void both_ways(T (&tile)[6][6], Line line)
{
#pragma unroll
    for (int j = 0; j < FROM; j++) {
        T t[6];
#pragma unroll
        for (int i = 0; i < FROM; i++) t[i] = tile[i][j];
        line(t);
#pragma unroll
        for (int i = 0; i < TO; i++) tile[i][j] = t[i];
    }
#pragma unroll
    for (int i = 0; i < TO; i++) line(tile[i]);
}

// G
struct Filter {
    __device__ __forceinline__ void operator()(T (&t)[6]) const
    {
        T g0 = t[0], g1 = t[1], g2 = t[2], even = g0 * T(1.0 / 24) + g2 * T(1.0 / 6), odd = g1 * T(1.0 / 12);
        t[0] = g0 * T(0.25);
        t[1] = (g0 + g2 + g1) * T(-1.0 / 6);
        t[2] = (g0 + g2 - g1) * T(-1.0 / 6);
        t[3] = even + odd;
        t[4] = even - odd;
        t[5] = g2;
    }
};

// B'
struct Input {
    __device__ __forceinline__ void operator()(T (&t)[6]) const
    {
        T even = t[4] - T(4) * t[2], odd = t[3] - T(4) * t[1], near = t[4] - t[2], far = T(2) * (t[3] - t[1]);
        t[0] = T(4) * t[0] - T(5) * t[2] + t[4];
        t[5] = T(4) * t[1] - T(5) * t[3] + t[5];
        t[1] = even + odd;
        t[2] = even - odd;
        t[3] = near + far;
        t[4] = near - far;
    }
};

// A'
struct Output {
    __device__ __forceinline__ void operator()(T (&t)[6]) const
    {
        T even = t[1] + t[2], odd = t[1] - t[2], wide = t[3] + t[4], narrow = t[3] - t[4];
        t[0] = t[0] + even + wide;
        t[1] = odd + T(2) * narrow;
        t[2] = even + T(4) * wide;
        t[3] = odd + T(8) * narrow + t[5];
    }
};

// to[k][at] = number k of the tile, numbers `step` apart
__device__ __forceinline__ void store_tile(const T (&tile)[6][6], T* to, long long step)
{
#pragma unroll
    for (int i = 0; i < 6; i++)
#pragma unroll
        for (int j = 0; j < 6; j++) to[(i * 6 + j) * step] = tile[i][j];
}

// u (36, count): the filters w (count, 3, 3) transformed, or turned around and transformed.
extern "C" __global__ void filters(const T* __restrict__ w, T* __restrict__ u, int count, int turned)
{
    long long at = thread_of_grid();
    if (at >= count) return;
    T tile[6][6];
#pragma unroll
    for (int k = 0; k < 9; k++) tile[k / 3][k % 3] = w[at * 9 + (turned ? 8 - k : k)];
    both_ways<3, 6>(tile, Filter());
    store_tile(tile, u + at, count);
}

// v (36, C, P): the tiles of x (images, C, H, W), transformed; those past the last image are zeros. blockIdx.y is the
// channel.
extern "C" __global__ void tiles(
    const T* __restrict__ x, T* __restrict__ v, int C, int H, int W, int top, int left, int images, int down,
    int across, int P)
{
    int c = blockIdx.y, p = thread_of_grid();
    if (p >= P) return;
    int n = p / (down * across), y = p / across % down * 4 - top, start = p % across * 4 - left;
    const T* image = x + ((long long)n * C + c) * H * W;
    T tile[6][6];
#pragma unroll
    for (int i = 0; i < 6; i++)
#pragma unroll
        for (int j = 0; j < 6; j++) {
            bool inside = n < images && unsigned(y + i) < unsigned(H) && unsigned(start + j) < unsigned(W);
            tile[i][j] = inside ? __ldg(image + (y + i) * W + start + j) : T(0);
        }
    both_ways<6, 6>(tile, Input());
    store_tile(tile, v + (long long)c * P + p, (long long)C * P);
}

// out (images, F, OH, OW) = the products m (36, F, P) transformed back, plus b[f] unless null; blockIdx.y is f.
extern "C" __global__ void pixels(
    const T* __restrict__ m, const T* __restrict__ b, T* __restrict__ out, int images, int down, int across,
    int OH, int OW, int F, int P)
{
    int f = blockIdx.y, p = thread_of_grid();
    int n = p / (down * across), y = p / across % down * 4, x = p % across * 4;
    if (n >= images) return;
    m += (long long)f * P + p;
    T tile[6][6];
#pragma unroll
    for (int i = 0; i < 6; i++)
#pragma unroll
        for (int j = 0; j < 6; j++) tile[i][j] = __ldg(m + (i * 6 + j) * ((long long)F * P));
    both_ways<6, 4>(tile, Output());
    T bias = b ? b[f] : T(0), *to = out + (((long long)n * F + f) * OH + y) * OW + x;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (y + i >= OH) continue;
#pragma unroll
        for (int j = 0; j < 4; j++) tile[i][j] += bias;
        if (OW % 4 == 0) {
#pragma unroll
            for (int j = 0; j < 4; j += LANES) {
                Pack pack;
#pragma unroll
                for (int l = 0; l < LANES; l++) pack.lane[l] = tile[i][j + l];
                store_pack(to + i * OW + j, pack);
            }
        } else {
#pragma unroll
            for (int j = 0; j < 4; j++)
                if (x + j < OW) to[i * OW + j] = tile[i][j];
        }
    }
}
