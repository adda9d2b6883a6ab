// The sum of two arrays, a pack of numbers a thread; the last thread takes what is left over.
#include "common.cuh"

extern "C" __global__ void add(
    const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ out, long long count)
{
    long long i = LANES * thread_of_grid();
    if (i + LANES <= count) {
        Pack pack = load_pack(a + i), other = load_pack(b + i);
        for (int j = 0; j < LANES; j++) pack.lane[j] += other.lane[j];
        store_pack(out + i, pack);
    } else {
        for (; i < count; i++) out[i] = a[i] + b[i];
    }
}
