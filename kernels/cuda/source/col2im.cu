// Every column added back to where its window was read: a thread owns a number of the image and goes through the windows
// that read it, from one to the next.
#include "common.cuh"
#include "window.cuh"

extern "C" __global__ void col2im(
    const T* __restrict__ cols, int N, int C, int H, int W, int KH, int KW, int SH, int SW, int DH, int DW, int top,
    int left, int OH, int OW, int jump_y, int jump_x, T* __restrict__ out)
{
    int at = thread_of_image(), P = OH * OW;
    if (at >= C * H * W) return;
    int c = at / (H * W);
    Readers down(at / W % H + top, KH, SH, DH, jump_y), across(at % W + left, KW, SW, DW, jump_x);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = cols + ((long long)n * C + c) * KH * KW * P;
        T total = 0;
        for (int i = down.cell, oy = down.window; i < KH && oy >= 0; i += down.jump, oy -= down.back) {
            if (oy >= OH) continue;
            for (int j = across.cell, ox = across.window; j < KW && ox >= 0; j += across.jump, ox -= across.back)
                if (ox < OW) total += from[(i * KW + j) * P + oy * OW + ox];
        }
        out[(long long)n * C * H * W + at] = total;
    }
}
