// Every window of the image as a column. A thread takes the windows of WIDTH neighbouring places, all in one channel: it
// reads a cell of each from the cache and writes them together.
#include "wide.cuh"
#include "window.cuh"

template <int WIDTH>
__device__ __forceinline__ void fill(const T* __restrict__ x, Windows g, T* __restrict__ cols)
{
    int P = g.OH * g.OW, at = WIDTH * thread_of_image();
    if (at >= g.C * P) return;
    int c = at / P, place = at % P;
    int top[WIDTH], left[WIDTH];
    for (int l = 0; l < WIDTH; l++) {
        top[l] = (place + l) / g.OW * g.SH - g.top;
        left[l] = (place + l) % g.OW * g.SW - g.left;
    }
    for (int n = blockIdx.y; n < g.N; n += gridDim.y) {
        const T* from = x + ((long long)n * g.C + c) * g.H * g.W;
        T* to = cols + ((long long)n * g.C + c) * g.KH * g.KW * P + place;
        for (int i = 0; i < g.KH; i++)
            for (int j = 0; j < g.KW; j++, to += P) {
                Wide<WIDTH> value;
                for (int l = 0; l < WIDTH; l++) {
                    int y = top[l] + i * g.DH, column = left[l] + j * g.DW;
                    bool inside = 0 <= y && y < g.H && 0 <= column && column < g.W;
                    value.lane[l] = inside ? from[y * g.W + column] : T(0);
                }
                store_wide<WIDTH>(to, value);
            }
    }
}

extern "C" __global__ void im2col(
    const T* __restrict__ x, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int DH, int DW, int top,
    int left, int OH, int OW, int wide, T* __restrict__ cols)
{
    Windows g = {N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW};
    if (wide)
        fill<LANES>(x, g, cols);
    else
        fill<1>(x, g, cols);
}
