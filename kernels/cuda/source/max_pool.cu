// Max pooling with switches, and its gradient as a gather over the windows that read a number. The *_halves are for 2x2
// cells side by side: a thread takes 16 bytes of each of two rows, which make half as many numbers of out.
#include "wide.cuh"
#include "reduce.cuh"
#include "window.cuh"

// A larger number wins, or the first NaN, with which no comparison is true.
__device__ __forceinline__ bool wins(T value, T best) { return value > best || (value != value && best == best); }

// SIZE: of a square window that is known when this is compiled, so that its loads need not wait for each other; or 0.
template <int SIZE>
__device__ __forceinline__ void pool(const T* __restrict__ x, Windows g, int* __restrict__ argmax, T* __restrict__ out)
{
    int at = thread_of_image(), P = g.OH * g.OW, KH = SIZE ? SIZE : g.KH, KW = SIZE ? SIZE : g.KW;
    if (at >= g.C * P) return;
    int c = at / P, top = at % P / g.OW * g.SH - g.top, left = at % g.OW * g.SW - g.left;
    for (int n = blockIdx.y; n < g.N; n += gridDim.y) {
        const T* from = x + ((long long)n * g.C + c) * g.H * g.W;
        T best = -infinite();
        int arg = -1;
#pragma unroll
        for (int i = 0; i < KH; i++)
#pragma unroll
            for (int j = 0; j < KW; j++) {
                int y = top + i * g.DH, column = left + j * g.DW;
                bool inside = 0 <= y && y < g.H && 0 <= column && column < g.W;
                T value = inside ? from[y * g.W + column] : -infinite();
                if (inside && (arg < 0 || wins(value, best))) {
                    best = value;
                    arg = i * KW + j;
                }
            }
        long long to = (long long)n * g.C * P + at;
        out[to] = best;
        argmax[to] = max(arg, 0);
    }
}

extern "C" __global__ void max_pool_forward(
    const T* __restrict__ x, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int DH, int DW, int top,
    int left, int OH, int OW, int* __restrict__ argmax, T* __restrict__ out)
{
    Windows g = {N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW};
    if (KH == 3 && KW == 3)
        pool<3>(x, g, argmax, out);
    else
        pool<0>(x, g, argmax, out);
}

// A warp a window, of 32 cells or more. Of equals the first cell wins, whichever thread has seen it.
extern "C" __global__ void max_pool_forward_warps(
    const T* __restrict__ x, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int DH, int DW, int top,
    int left, int OH, int OW, int* __restrict__ argmax, T* __restrict__ out)
{
    int at = thread_of_image() / WARP, lane = threadIdx.x % WARP, P = OH * OW;
    if (at >= C * P) return;  // the whole warp
    int c = at / P, first_y = at % P / OW * SH - top, first_x = at % OW * SW - left;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = x + ((long long)n * C + c) * H * W;
        T best = -infinite();
        int arg = -1;
        for (int cell = lane; cell < KH * KW; cell += WARP) {
            int y = first_y + cell / KW * DH, column = first_x + cell % KW * DW;
            if (y < 0 || y >= H || column < 0 || column >= W) continue;
            T value = from[y * W + column];
            if (arg < 0 || wins(value, best)) {
                best = value;
                arg = cell;
            }
        }
        for (int mask = WARP / 2; mask > 0; mask /= 2) {
            T other = __shfl_xor_sync(0xffffffffu, best, mask);
            int others = __shfl_xor_sync(0xffffffffu, arg, mask);
            if (others >= 0 && (arg < 0 || wins(other, best) || (others < arg && !wins(best, other)))) {
                best = other;
                arg = others;
            }
        }
        if (lane == 0) {
            out[(long long)n * C * P + at] = best;
            argmax[(long long)n * C * P + at] = max(arg, 0);
        }
    }
}

struct alignas(HALF * sizeof(int)) Switches {
    int lane[HALF];
};

extern "C" __global__ void max_pool_forward_halves(
    const T* __restrict__ x, int N, int C, int H, int W, int OH, int* __restrict__ argmax, T* __restrict__ out)
{
    int at = thread_of_image(), packs = W / LANES;
    if (at >= C * OH * packs) return;
    int c = at / (OH * packs), oy = at / packs % OH, column = at % packs * LANES;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = x + (((long long)n * C + c) * H + 2 * oy) * W + column;
        Pack rows[2] = {load_pack(from), load_pack(from + W)};
        Wide<HALF> best;
        Switches arg;
        for (int l = 0; l < HALF; l++) {
            best.lane[l] = rows[0].lane[2 * l];
            arg.lane[l] = 0;
            for (int cell = 1; cell < 4; cell++) {
                T value = rows[cell / 2].lane[2 * l + cell % 2];
                if (wins(value, best.lane[l])) {
                    best.lane[l] = value;
                    arg.lane[l] = cell;
                }
            }
        }
        long long to = (long long)HALF * ((long long)n * C * OH * packs + at);
        store_wide<HALF>(out + to, best);
        *whole<Switches>(argmax + to) = arg;
    }
}

extern "C" __global__ void max_pool_backward(
    const T* __restrict__ dout, const int* __restrict__ argmax, int N, int C, int H, int W, int KH, int KW, int SH,
    int SW, int DH, int DW, int top, int left, int OH, int OW, int jump_y, int jump_x, T* __restrict__ dx)
{
    int at = thread_of_image(), P = OH * OW;
    if (at >= C * H * W) return;
    int c = at / (H * W);
    Readers down(at / W % H + top, KH, SH, DH, jump_y), across(at % W + left, KW, SW, DW, jump_x);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long plane = ((long long)n * C + c) * P;
        T total = 0;
        for (int i = down.cell, oy = down.window; i < KH && oy >= 0; i += down.jump, oy -= down.back) {
            if (oy >= OH) continue;
            for (int j = across.cell, ox = across.window; j < KW && ox >= 0; j += across.jump, ox -= across.back) {
                if (ox >= OW) continue;
                long long window = plane + oy * OW + ox;
                // Read whether it goes here or not: a load that waits for the other costs more.
                T gradient = dout[window];
                total += argmax[window] == i * KW + j ? gradient : T(0);
            }
        }
        dx[(long long)n * C * H * W + at] = total;
    }
}

extern "C" __global__ void max_pool_backward_halves(
    const T* __restrict__ dout, const int* __restrict__ argmax, int N, int C, int OH, int W, T* __restrict__ dx)
{
    int at = thread_of_image(), packs = W / LANES;
    if (at >= C * OH * packs) return;
    int row = at / packs, column = at % packs * LANES;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long from = (long long)HALF * ((long long)n * C * OH * packs + at);
        Wide<HALF> gradient = load_wide<HALF>(dout + from);
        Switches arg = *whole<const Switches>(argmax + from);
        Pack rows[2];
        for (int l = 0; l < HALF; l++)
            for (int cell = 0; cell < 4; cell++)
                rows[cell / 2].lane[2 * l + cell % 2] = arg.lane[l] == cell ? gradient.lane[l] : T(0);
        T* to = dx + ((long long)n * C * OH + row) * 2 * W + column;
        store_pack(to, rows[0]);
        store_pack(to + W, rows[1]);
    }
}
