// Local response normalisation, and its gradient. *_sliding: a thread has SLIDE channels of one place; it loads them and those
// that their windows reach, all together, and the window slides over registers. 16 bytes at once would quarter the threads
// and not the bytes: neighbouring threads' loads join.
#include "common.cuh"
#include "window.cuh"

enum { SLIDE = 8, SLIDING = 5, LOADED = SLIDE + SLIDING - 1 };

// value * scale^-beta, for the papers' 3/4 by square roots.
__device__ __forceinline__ T scaled(T value, T scale, T beta)
{
    if (beta == T(0.75)) {
        T root = sqrt(scale);
        return value / (root * sqrt(root));
    }
    return value * pow(scale, -beta);
}

extern "C" __global__ void lrn_forward(
    const T* __restrict__ x, int N, int C, int P, int size, T factor, T beta, T k, T* __restrict__ scale,
    T* __restrict__ out)
{
    int at = thread_of_image();
    if (at >= C * P) return;
    int c = at / P, p = at % P, first = max(c - size / 2, 0), last = min(c + (size - 1) / 2, C - 1);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long image = (long long)n * C * P;
        T total = 0;
        for (int other = first; other <= last; other++) {
            T value = x[image + other * P + p];
            total += value * value;
        }
        total = k + factor * total;
        scale[image + at] = total;
        out[image + at] = scaled(x[image + at], total, beta);
    }
}

extern "C" __global__ void lrn_forward_sliding(
    const T* __restrict__ x, int N, int C, int P, T factor, T beta, T k, T* __restrict__ scale, T* __restrict__ out)
{
    int at = thread_of_image(), first = at / P * SLIDE, p = at % P;
    if (first >= C) return;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long image = (long long)n * C * P + p;
        T value[LOADED];
#pragma unroll
        for (int d = 0; d < LOADED; d++) {
            int c = first + d - SLIDING / 2;
            value[d] = 0 <= c && c < C ? x[image + c * P] : T(0);
        }
#pragma unroll
        for (int d = 0; d < SLIDE; d++) {
            if (first + d >= C) break;
            T total = 0;
#pragma unroll
            for (int e = 0; e < SLIDING; e++) total += value[d + e] * value[d + e];
            total = k + factor * total;
            long long to = image + (first + d) * P;
            scale[to] = total;
            out[to] = scaled(value[d + SLIDING / 2], total, beta);
        }
    }
}

// scale[c] reads the channels c - size/2 .. c + (size-1)/2: c is read by the mirrored window.

extern "C" __global__ void lrn_backward(
    const T* __restrict__ dout, const T* __restrict__ x, const T* __restrict__ scale, int N, int C, int P, int size,
    T factor, T beta, T* __restrict__ dx)
{
    int at = thread_of_image();
    if (at >= C * P) return;
    int c = at / P, p = at % P, first = max(c - (size - 1) / 2, 0), last = min(c + size / 2, C - 1);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long image = (long long)n * C * P;
        T through = 0;
        for (int other = first; other <= last; other++) {
            long long from = image + other * P + p;
            through += scaled(dout[from] * x[from], scale[from], beta) / scale[from];
        }
        long long to = image + at;
        dx[to] = scaled(dout[to], scale[to], beta) - factor * x[to] * through;
    }
}

extern "C" __global__ void lrn_backward_sliding(
    const T* __restrict__ dout, const T* __restrict__ x, const T* __restrict__ scale, int N, int C, int P, T factor,
    T beta, T* __restrict__ dx)
{
    int at = thread_of_image(), first = at / P * SLIDE, p = at % P;
    if (first >= C) return;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long image = (long long)n * C * P + p;
        T direct[LOADED], value[LOADED], through[LOADED];
#pragma unroll
        for (int d = 0; d < LOADED; d++) {
            int c = first + d - (SLIDING - 1) / 2;
            bool there = 0 <= c && c < C;
            long long from = image + c * P;
            value[d] = there ? x[from] : T(0);
            T over = there ? scale[from] : T(1);
            direct[d] = scaled(there ? dout[from] : T(0), over, beta);
            through[d] = direct[d] * value[d] / over;
        }
#pragma unroll
        for (int d = 0; d < SLIDE; d++) {
            if (first + d >= C) break;
            T total = 0;
#pragma unroll
            for (int e = 0; e < SLIDING; e++) total += through[d + e];
            int own = d + (SLIDING - 1) / 2;
            dx[image + (first + d) * P] = direct[own] - factor * value[own] * total;
        }
    }
}
