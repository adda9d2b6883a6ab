// Local response normalisation, and its gradient. *_sliding: a thread has SLIDE channels of one place; it loads them and those
// that their windows reach, all together, and the window slides over registers. *_wide: of several places side by side, 16
// bytes, or 8 where three arrays are held, for so many images that the card is full with a quarter of the threads.
#include "wide.cuh"
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

template <int WIDTH>
__device__ __forceinline__ Wide<WIDTH> channel(const T* image, int c, int C, int P, T otherwise)
{
    if (0 <= c && c < C) return load_wide<WIDTH>(image + c * P);
    Wide<WIDTH> none;
    for (int l = 0; l < WIDTH; l++) none.lane[l] = otherwise;
    return none;
}

template <int WIDTH>
__device__ __forceinline__ void forward_sliding(
    const T* __restrict__ x, int N, int C, int P, T factor, T beta, T k, T* __restrict__ scale, T* __restrict__ out)
{
    int at = thread_of_image(), places = P / WIDTH, first = at / places * SLIDE, p = at % places * WIDTH;
    if (first >= C) return;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long image = (long long)n * C * P + p;
        Wide<WIDTH> value[LOADED];
#pragma unroll
        for (int d = 0; d < LOADED; d++) value[d] = channel<WIDTH>(x + image, first + d - SLIDING / 2, C, P, T(0));
#pragma unroll
        for (int d = 0; d < SLIDE; d++) {
            if (first + d >= C) break;
            Wide<WIDTH> over, made;
#pragma unroll
            for (int l = 0; l < WIDTH; l++) {
                T total = 0;
#pragma unroll
                for (int e = 0; e < SLIDING; e++) total += value[d + e].lane[l] * value[d + e].lane[l];
                over.lane[l] = k + factor * total;
                made.lane[l] = scaled(value[d + SLIDING / 2].lane[l], over.lane[l], beta);
            }
            long long to = image + (first + d) * P;
            store_wide<WIDTH>(scale + to, over);
            store_wide<WIDTH>(out + to, made);
        }
    }
}

extern "C" __global__ void lrn_forward_sliding(
    const T* __restrict__ x, int N, int C, int P, T factor, T beta, T k, T* __restrict__ scale, T* __restrict__ out)
{
    forward_sliding<1>(x, N, C, P, factor, beta, k, scale, out);
}

extern "C" __global__ void lrn_forward_wide(
    const T* __restrict__ x, int N, int C, int P, T factor, T beta, T k, T* __restrict__ scale, T* __restrict__ out)
{
    forward_sliding<LANES>(x, N, C, P, factor, beta, k, scale, out);
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

template <int WIDTH>
__device__ __forceinline__ void backward_sliding(
    const T* __restrict__ dout, const T* __restrict__ x, const T* __restrict__ scale, int N, int C, int P, T factor,
    T beta, T* __restrict__ dx)
{
    int at = thread_of_image(), places = P / WIDTH, first = at / places * SLIDE, p = at % places * WIDTH;
    if (first >= C) return;
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long image = (long long)n * C * P + p;
        Wide<WIDTH> direct[LOADED], value[LOADED], through[LOADED];
#pragma unroll
        for (int d = 0; d < LOADED; d++) {
            int c = first + d - (SLIDING - 1) / 2;
            value[d] = channel<WIDTH>(x + image, c, C, P, T(0));
            direct[d] = channel<WIDTH>(dout + image, c, C, P, T(0));
            Wide<WIDTH> over = channel<WIDTH>(scale + image, c, C, P, T(1));
#pragma unroll
            for (int l = 0; l < WIDTH; l++) {
                direct[d].lane[l] = scaled(direct[d].lane[l], over.lane[l], beta);
                through[d].lane[l] = direct[d].lane[l] * value[d].lane[l] / over.lane[l];
            }
        }
#pragma unroll
        for (int d = 0; d < SLIDE; d++) {
            if (first + d >= C) break;
            int own = d + (SLIDING - 1) / 2;
            Wide<WIDTH> made;
#pragma unroll
            for (int l = 0; l < WIDTH; l++) {
                T total = 0;
#pragma unroll
                for (int e = 0; e < SLIDING; e++) total += through[d + e].lane[l];
                made.lane[l] = direct[own].lane[l] - factor * value[own].lane[l] * total;
            }
            store_wide<WIDTH>(dx + image + (first + d) * P, made);
        }
    }
}

extern "C" __global__ void lrn_backward_sliding(
    const T* __restrict__ dout, const T* __restrict__ x, const T* __restrict__ scale, int N, int C, int P, T factor,
    T beta, T* __restrict__ dx)
{
    backward_sliding<1>(dout, x, scale, N, C, P, factor, beta, dx);
}

extern "C" __global__ void lrn_backward_wide(
    const T* __restrict__ dout, const T* __restrict__ x, const T* __restrict__ scale, int N, int C, int P, T factor,
    T beta, T* __restrict__ dx)
{
    backward_sliding<HALF>(dout, x, scale, N, C, P, factor, beta, dx);
}
