// Batch normalisation and the gradient of x: a thread takes the same WIDTH numbers of several images, with their channel's
// constants. The mean is taken off in two parts, what T holds of it from x, the rest with the shift.
#include "wide.cuh"
#include "window.cuh"

template <int WIDTH>
__device__ __forceinline__ void forward(
    const T* __restrict__ x, const double* __restrict__ mean, const double* __restrict__ inverse_std,
    const T* __restrict__ w, const T* __restrict__ b, int N, int C, int P, T* __restrict__ out)
{
    int at = WIDTH * thread_of_image();
    if (at >= C * P) return;
    int c = at / P;
    double steep = inverse_std[c] * w[c];
    T near = T(mean[c]), scale = T(steep), shift = T(b[c] - (mean[c] - near) * steep);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long place = (long long)n * C * P + at;
        Wide<WIDTH> value = load_wide<WIDTH>(x + place);
        for (int l = 0; l < WIDTH; l++) value.lane[l] = (value.lane[l] - near) * scale + shift;
        store_wide<WIDTH>(out + place, value);
    }
}

extern "C" __global__ void batch_norm_forward(
    const T* __restrict__ x, const double* __restrict__ mean, const double* __restrict__ inverse_std,
    const T* __restrict__ w, const T* __restrict__ b, int N, int C, int P, int wide, T* __restrict__ out)
{
    if (wide)
        forward<LANES>(x, mean, inverse_std, w, b, N, C, P, out);
    else
        forward<1>(x, mean, inverse_std, w, b, N, C, P, out);
}

template <int WIDTH>
__device__ __forceinline__ void scaled(
    const T* __restrict__ dout, const double* __restrict__ inverse_std, const T* __restrict__ w, int N, int C, int P,
    T* __restrict__ dx)
{
    int at = WIDTH * thread_of_image();
    if (at >= C * P) return;
    T scale = T(inverse_std[at / P] * w[at / P]);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long place = (long long)n * C * P + at;
        Wide<WIDTH> value = load_wide<WIDTH>(dout + place);
        for (int l = 0; l < WIDTH; l++) value.lane[l] *= scale;
        store_wide<WIDTH>(dx + place, value);
    }
}

extern "C" __global__ void batch_norm_scale(
    const T* __restrict__ dout, const double* __restrict__ inverse_std, const T* __restrict__ w, int N, int C, int P,
    int wide, T* __restrict__ dx)
{
    if (wide)
        scaled<LANES>(dout, inverse_std, w, N, C, P, dx);
    else
        scaled<1>(dout, inverse_std, w, N, C, P, dx);
}

template <int WIDTH>
__device__ __forceinline__ void backward(
    const T* __restrict__ dout, const T* __restrict__ x, const double* __restrict__ mean,
    const double* __restrict__ inverse_std, const T* __restrict__ w, const double* __restrict__ dw,
    const double* __restrict__ db, int N, int C, int P, T* __restrict__ dx)
{
    int at = WIDTH * thread_of_image();
    if (at >= C * P) return;
    int c = at / P;
    double M = (double)N * P, steep = inverse_std[c] * dw[c] / M;
    T near = T(mean[c]), shift = T(db[c] / M - (mean[c] - near) * steep), stretch = T(steep);
    T scale = T(inverse_std[c] * w[c]);
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        long long place = (long long)n * C * P + at;
        Wide<WIDTH> gradient = load_wide<WIDTH>(dout + place), value = load_wide<WIDTH>(x + place);
        for (int l = 0; l < WIDTH; l++)
            value.lane[l] = (gradient.lane[l] - shift - (value.lane[l] - near) * stretch) * scale;
        store_wide<WIDTH>(dx + place, value);
    }
}

extern "C" __global__ void batch_norm_backward(
    const T* __restrict__ dout, const T* __restrict__ x, const double* __restrict__ mean,
    const double* __restrict__ inverse_std, const T* __restrict__ w, const double* __restrict__ dw,
    const double* __restrict__ db, int N, int C, int P, int wide, T* __restrict__ dx)
{
    if (wide)
        backward<LANES>(dout, x, mean, inverse_std, w, dw, db, N, C, P, dx);
    else
        backward<1>(dout, x, mean, inverse_std, w, dw, db, N, C, P, dx);
}
