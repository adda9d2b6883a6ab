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
    int c = at / (H * W), down = at / W % H + top, right = at % W + left;
    int first_i = first_cell(down, KH, SH, DH, jump_y), first_j = first_cell(right, KW, SW, DW, jump_x);
    int first_oy = (down - first_i * DH) / SH, first_ox = (right - first_j * DW) / SW;
    int back_y = jump_y * DH / SH, back_x = jump_x * DW / SW;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const T* from = cols + ((long long)n * C + c) * KH * KW * P;
        T total = 0;
        for (int i = first_i, oy = first_oy; i < KH && oy >= 0; i += jump_y, oy -= back_y) {
            if (oy >= OH) continue;
            for (int j = first_j, ox = first_ox; j < KW && ox >= 0; j += jump_x, ox -= back_x)
                if (ox < OW) total += from[(i * KW + j) * P + oy * OW + ox];
        }
        out[(long long)n * C * H * W + at] = total;
    }
}
