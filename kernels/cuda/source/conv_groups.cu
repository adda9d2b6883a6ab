// Convolutions whose groups have few channels, depthwise ones above all: no sum is long and no number is used often, so
// that tiles would be empty. A thread owns a number of the result, or 16 bytes of several rows where 3x3 windows allow it.
#include "common.cuh"
#include "reduce.cuh"
#include "window.cuh"

// SIZE: of a square window that is known when this is compiled; or 0.
template <int SIZE>
__device__ __forceinline__ void convolve(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, Windows g, int FG, int CG,
    T* __restrict__ out)
{
    int at = thread_of_image(), P = g.OH * g.OW, F = g.C / CG * FG, KH = SIZE ? SIZE : g.KH, KW = SIZE ? SIZE : g.KW;
    if (at >= F * P) return;
    int f = at / P, top = at % P / g.OW * g.SH - g.top, left = at % g.OW * g.SW - g.left;
    const T* filter = w + (long long)f * CG * KH * KW;
    T bias = b ? b[f] : T(0);
    for (int n = blockIdx.y; n < g.N; n += gridDim.y) {
        const T* from = x + ((long long)n * g.C + f / FG * CG) * g.H * g.W;
        T total = bias;
        for (int c = 0; c < CG; c++, from += g.H * g.W)
#pragma unroll
            for (int i = 0; i < KH; i++)
#pragma unroll
                for (int j = 0; j < KW; j++) {
                    int y = top + i * g.DH, column = left + j * g.DW;
                    bool inside = unsigned(y) < unsigned(g.H) && unsigned(column) < unsigned(g.W);
                    // Padding is multiplied, too: an infinite weight makes NaN of it.
                    total += filter[(c * KH + i) * KW + j] * (inside ? from[y * g.W + column] : T(0));
                }
        out[(long long)n * F * P + at] = total;
    }
}

extern "C" __global__ void groups_forward(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, int N, int C, int H, int W, int KH, int KW,
    int SH, int SW, int DH, int DW, int top, int left, int OH, int OW, int FG, int CG, T* __restrict__ out)
{
    Windows g = {N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW};
    if (KH == 3 && KW == 3)
        convolve<3>(x, w, b, g, FG, CG, out);
    else
        convolve<0>(x, w, b, g, FG, CG, out);
}

// One channel to one, 3x3 windows of stride 1 that leave rows as long as they are, a multiple of LANES. A thread computes
// 16 bytes of each of DOWN rows: of a row that it reads, it loads 16 bytes and a number at either end, and uses it for up
// to three. Turned around, the windows give the gradient of the input.
enum { DOWN = 4 };

extern "C" __global__ void depthwise_rows(
    const T* __restrict__ x, const T* __restrict__ w, const T* __restrict__ b, int N, int C, int H, int W, int top,
    int OH, int turned, T* __restrict__ out)
{
    int at = thread_of_image(), packs = W / LANES, down = (OH + DOWN - 1) / DOWN;
    if (at >= C * down * packs) return;
    int c = at / (down * packs), oy = at / packs % down * DOWN, left = at % packs * LANES;
    T weight[9], bias = b ? b[c] : T(0);
#pragma unroll
    for (int k = 0; k < 9; k++) weight[k] = w[c * 9 + (turned ? 8 - k : k)];
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = x + ((long long)n * C + c) * H * W + left;
        Pack sums[DOWN];
#pragma unroll
        for (int d = 0; d < DOWN; d++)
#pragma unroll
            for (int l = 0; l < LANES; l++) sums[d].lane[l] = bias;
#pragma unroll
        for (int r = 0; r < DOWN + 2; r++) {
            int y = oy + r - top;
            T line[LANES + 2] = {};
            if (unsigned(y) < unsigned(H)) {
                Pack pack = load_pack(from + y * W);
#pragma unroll
                for (int l = 0; l < LANES; l++) line[l + 1] = pack.lane[l];
                if (left > 0) line[0] = from[y * W - 1];
                if (left + LANES < W) line[LANES + 1] = from[y * W + LANES];
            }
#pragma unroll
            for (int i = 0; i < 3; i++) {
                if (r - i < 0 || r - i >= DOWN) continue;
#pragma unroll
                for (int j = 0; j < 3; j++)
#pragma unroll
                    for (int l = 0; l < LANES; l++) sums[r - i].lane[l] += weight[i * 3 + j] * line[l + j];
            }
        }
        T* to = out + ((long long)n * C + c) * OH * W + left;
#pragma unroll
        for (int d = 0; d < DOWN; d++)
            if (oy + d < OH) store_pack(to + (oy + d) * W, sums[d]);
    }
}

extern "C" __global__ void groups_backward_input(
    const T* __restrict__ dout, const T* __restrict__ w, int N, int C, int H, int W, int KH, int KW, int SH, int SW,
    int DH, int DW, int top, int left, int OH, int OW, int jump_y, int jump_x, int FG, int CG, T* __restrict__ dx)
{
    int at = thread_of_image(), P = OH * OW, F = C / CG * FG;
    if (at >= C * H * W) return;
    int c = at / (H * W), f0 = c / CG * FG;
    Readers down(at / W % H + top, KH, SH, DH, jump_y), across(at % W + left, KW, SW, DW, jump_x);
    const T* filter = w + ((long long)f0 * CG + c % CG) * KH * KW;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        T total = 0;
        for (int f = 0; f < FG; f++) {
            const T* from = dout + ((long long)n * F + f0 + f) * P;
            const T* weights = filter + (long long)f * CG * KH * KW;
            for (int i = down.cell, oy = down.window; i < KH && oy >= 0; i += down.jump, oy -= down.back) {
                if (oy >= OH) continue;
                for (int j = across.cell, ox = across.window; j < KW && ox >= 0; j += across.jump, ox -= across.back)
                    if (ox < OW) total += weights[i * KW + j] * from[oy * OW + ox];
            }
        }
        dx[(long long)n * C * H * W + at] = total;
    }
}

// A block adds up weights of one filter in one channel, blockIdx.x, over a part of the output's cells (n, oy, ox),
// blockIdx.z, `length` long: dw holds as many arrays. All weights of 3x3 windows, so that a cell is read once; of others
// one, blockIdx.y.
template <int SIZE>
__device__ __forceinline__ void sum_weights(
    const T* __restrict__ dout, const T* __restrict__ x, Windows g, int FG, int CG, int length, T* __restrict__ dw)
{
    enum { COUNT = SIZE ? SIZE * SIZE : 1 };
    int P = g.OH * g.OW, F = g.C / CG * FG, f = blockIdx.x / CG, c = f / FG * CG + blockIdx.x % CG;
    int first = blockIdx.z * length, last = min(first + length, g.N * P);
    T sums[COUNT] = {};
    for (int k = first + threadIdx.x; k < last; k += blockDim.x) {
        int n = k / P, place = k % P, top = place / g.OW * g.SH - g.top, left = place % g.OW * g.SW - g.left;
        T gradient = dout[((long long)n * F + f) * P + place];
        const T* from = x + ((long long)n * g.C + c) * g.H * g.W;
#pragma unroll
        for (int e = 0; e < COUNT; e++) {
            int cell = SIZE ? e : blockIdx.y, KW = SIZE ? SIZE : g.KW;
            int y = top + cell / KW * g.DH, column = left + cell % KW * g.DW;
            bool inside = unsigned(y) < unsigned(g.H) && unsigned(column) < unsigned(g.W);
            sums[e] += inside ? gradient * from[y * g.W + column] : T(0);
        }
    }
    T* to = dw + ((long long)blockIdx.z * gridDim.x + blockIdx.x) * g.KH * g.KW + blockIdx.y;
#pragma unroll
    for (int e = 0; e < COUNT; e++) {
        T total = block_sum(sums[e]);
        if (threadIdx.x == 0) to[e] = total;
    }
}

extern "C" __global__ void __launch_bounds__(256) groups_backward_weight(
    const T* __restrict__ dout, const T* __restrict__ x, int N, int C, int H, int W, int KH, int KW, int SH, int SW,
    int DH, int DW, int top, int left, int OH, int OW, int FG, int CG, int length, T* __restrict__ dw)
{
    Windows g = {N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW};
    if (KH == 3 && KW == 3)
        sum_weights<3>(dout, x, g, FG, CG, length, dw);
    else
        sum_weights<0>(dout, x, g, FG, CG, length, dw);
}
