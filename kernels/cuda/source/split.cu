// The sum of several arrays in the order in which they lie, a pack of numbers a thread.
#include "common.cuh"

extern "C" __global__ void add_up(const T* __restrict__ partial, T* __restrict__ out, long long count, int parts)
{
    long long i = LANES * thread_of_grid();
    if (i >= count) return;
    if (count % LANES) {  // the second array does not begin at a multiple of 16 bytes
        for (long long last = min(i + LANES, count); i < last; i++) {
            T total = T(0);
            for (int part = 0; part < parts; part++) total += partial[part * count + i];
            out[i] = total;
        }
        return;
    }
    Pack total = load_pack(partial + i);
    for (int part = 1; part < parts; part++) {
        Pack pack = load_pack(partial + part * count + i);
        for (int j = 0; j < LANES; j++) total.lane[j] += pack.lane[j];
    }
    store_pack(out + i, total);
}
