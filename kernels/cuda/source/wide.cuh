// Several numbers, which one instruction loads or stores: 1, 2 or 4 of them, 16 bytes at most, at a multiple of their size.
#include "common.cuh"

template <int WIDTH> struct alignas(WIDTH * sizeof(T)) Wide {
    T lane[WIDTH];
};

template <int WIDTH> __device__ __forceinline__ Wide<WIDTH> load_wide(const T* from)
{
    return *whole<const Wide<WIDTH>>(from);
}

template <int WIDTH> __device__ __forceinline__ void store_wide(T* to, Wide<WIDTH> value)
{
    *whole<Wide<WIDTH>>(to) = value;
}

enum { HALF = LANES / 2 };  // what a pack of a row leaves where it is pooled by twos
