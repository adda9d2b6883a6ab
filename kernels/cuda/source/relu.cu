// ReLU, a pack of numbers a thread; the last thread takes what is left over.
#include "common.cuh"

// A comparison with NaN is false, so NaN passes.
__device__ __forceinline__ T rectified(T x) { return x <= T(0) ? T(0) : x; }

__device__ __forceinline__ T gated(T dout, T x) { return x > T(0) ? dout : T(0); }

extern "C" __global__ void relu_forward(const T* __restrict__ x, T* __restrict__ out, long long count)
{
    long long i = LANES * thread_of_grid();
    if (i + LANES <= count) {
        Pack pack = load_pack(x + i);
        for (int j = 0; j < LANES; j++) pack.lane[j] = rectified(pack.lane[j]);
        store_pack(out + i, pack);
    } else {
        for (; i < count; i++) out[i] = rectified(x[i]);
    }
}

extern "C" __global__ void relu_backward(
    const T* __restrict__ dout, const T* __restrict__ x, T* __restrict__ dx, long long count)
{
    long long i = LANES * thread_of_grid();
    if (i + LANES <= count) {
        Pack gradient = load_pack(dout + i), pack = load_pack(x + i);
        for (int j = 0; j < LANES; j++) pack.lane[j] = gated(gradient.lane[j], pack.lane[j]);
        store_pack(dx + i, pack);
    } else {
        for (; i < count; i++) dx[i] = gated(dout[i], x[i]);
    }
}
