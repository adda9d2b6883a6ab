// What every file of this folder may use. Arrays are C-ordered and begin at a multiple of 16 bytes. Files compile by
// NVRTC, which has no headers of the host's.

typedef REAL T;  // float or double, by -DREAL=...

// 16 bytes of numbers, which one instruction loads or stores: four floats or two doubles.
enum { LANES = 16 / sizeof(T) };

struct alignas(16) Pack {
    T lane[LANES];
};

// The place of several numbers that one instruction loads or stores, a multiple of their size: a card answers others with an
// error, as does the host's shim, where the processor would take them.
#ifdef SHIM
using shim::whole;
#else
template <class Several> __device__ __forceinline__ Several* whole(const void* place) { return (Several*)place; }
#endif

__device__ __forceinline__ Pack load_pack(const T* from) { return *whole<const Pack>(from); }

__device__ __forceinline__ void store_pack(T* to, Pack pack) { *whole<Pack>(to) = pack; }

// This thread's number among all of the grid's, of which arrays may have more than 2^31.
__device__ __forceinline__ long long thread_of_grid() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }

__device__ __forceinline__ T infinite() { return T(__int_as_float(0x7f800000)); }

// The block's shared memory whose size the launch says.
#ifdef SHIM
template <class V> __device__ __forceinline__ V* open_shared() { return shim::shared<V>(); }
#else
template <class V> __device__ __forceinline__ V* open_shared()
{
    extern __shared__ __align__(16) unsigned char memory[];
    return reinterpret_cast<V*>(memory);
}
#endif
