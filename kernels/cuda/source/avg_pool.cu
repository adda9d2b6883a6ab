// Average pooling, a thread a window or, of large windows, a warp; and its gradient as a gather over the windows that read
// a number. The *_halves are for 2x2 cells side by side: 16 bytes of each of two rows a thread.
#include "wide.cuh"
#include "reduce.cuh"
#include "window.cuh"

// Along one axis, the window's real cells first ... last - 1, and how many of its cells count.
struct Extent {
    int first, last, counted;

    __device__ __forceinline__ Extent(int start, int kernel, int size, int after, bool count_include_pad)
    {
        first = min(max(-start, 0), kernel);
        last = min(max(size - start, first), kernel);
        counted = count_include_pad ? min(kernel, size + after - start) : last - first;
    }
};

extern "C" __global__ void avg_pool_forward(
    const T* __restrict__ x, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int top, int bottom, int left,
    int right, int OH, int OW, int count_include_pad, T* __restrict__ out)
{
    int at = thread_of_image(), P = OH * OW;
    if (at >= C * P) return;
    int c = at / P, y = at % P / OW * SH - top, column = at % OW * SW - left;
    Extent down(y, KH, H, bottom, count_include_pad), across(column, KW, W, right, count_include_pad);
    T area = max(down.counted * across.counted, 1);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = x + ((long long)n * C + c) * H * W + y * W + column;
        T total = 0;
        for (int i = down.first; i < down.last; i++)
            for (int j = across.first; j < across.last; j++) total += from[i * W + j];
        out[(long long)n * C * P + at] = total / area;
    }
}

extern "C" __global__ void avg_pool_forward_warps(
    const T* __restrict__ x, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int top, int bottom, int left,
    int right, int OH, int OW, int count_include_pad, T* __restrict__ out)
{
    int at = thread_of_image() / WARP, lane = threadIdx.x % WARP, P = OH * OW;
    if (at >= C * P) return;  // the whole warp
    int c = at / P, y = at % P / OW * SH - top, column = at % OW * SW - left;
    Extent down(y, KH, H, bottom, count_include_pad), across(column, KW, W, right, count_include_pad);
    T area = max(down.counted * across.counted, 1);
    int real = across.last - across.first, cells = (down.last - down.first) * real;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = x + ((long long)n * C + c) * H * W + (y + down.first) * W + column + across.first;
        T total = 0;
        for (int cell = lane; cell < cells; cell += WARP) total += from[cell / real * W + cell % real];
        total = warp_sum(total);
        if (lane == 0) out[(long long)n * C * P + at] = total / area;
    }
}

extern "C" __global__ void avg_pool_backward(
    const T* __restrict__ dout, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int top, int bottom,
    int left, int right, int OH, int OW, int count_include_pad, T* __restrict__ dx)
{
    int at = thread_of_image(), P = OH * OW;
    if (at >= C * H * W) return;
    int c = at / (H * W), down = at / W % H + top, across = at % W + left;
    int first_oy = down < KH ? 0 : (down - KH) / SH + 1, last_oy = min(down / SH + 1, OH);
    int first_ox = across < KW ? 0 : (across - KW) / SW + 1, last_ox = min(across / SW + 1, OW);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = dout + ((long long)n * C + c) * P;
        T total = 0;
        for (int oy = first_oy; oy < last_oy; oy++) {
            int high = Extent(oy * SH - top, KH, H, bottom, count_include_pad).counted;
            for (int ox = first_ox; ox < last_ox; ox++) {
                int broad = Extent(ox * SW - left, KW, W, right, count_include_pad).counted;
                total += from[oy * OW + ox] / T(high * broad);
            }
        }
        dx[(long long)n * C * H * W + at] = total;
    }
}

extern "C" __global__ void avg_pool_forward_halves(
    const T* __restrict__ x, int N, int C, int H, int W, int OH, T* __restrict__ out)
{
    int at = thread_of_image(), packs = W / LANES;
    if (at >= C * OH * packs) return;
    int c = at / (OH * packs), oy = at / packs % OH, column = at % packs * LANES;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = x + (((long long)n * C + c) * H + 2 * oy) * W + column;
        Pack above = load_pack(from), below = load_pack(from + W);
        Wide<HALF> mean;
        for (int l = 0; l < HALF; l++)
            mean.lane[l] = (above.lane[2 * l] + above.lane[2 * l + 1] + below.lane[2 * l] + below.lane[2 * l + 1]) / T(4);
        store_wide<HALF>(out + (long long)HALF * ((long long)n * C * OH * packs + at), mean);
    }
}

extern "C" __global__ void avg_pool_backward_halves(
    const T* __restrict__ dout, int N, int C, int OH, int W, T* __restrict__ dx)
{
    int at = thread_of_image(), packs = W / LANES;
    if (at >= C * OH * packs) return;
    int row = at / packs, column = at % packs * LANES;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        Wide<HALF> gradient = load_wide<HALF>(dout + (long long)HALF * ((long long)n * C * OH * packs + at));
        Pack pack;
        for (int l = 0; l < LANES; l++) pack.lane[l] = gradient.lane[l / 2] / T(4);
        T* to = dx + ((long long)n * C * OH + row) * 2 * W + column;
        store_pack(to, pack);
        store_pack(to + W, pack);
    }
}
