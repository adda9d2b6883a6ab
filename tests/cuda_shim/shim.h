// Enough of CUDA C++ for the host's compiler: a kernel runs on the processor, one block after the other, a block's threads
// as fibers that give way to each other where they wait for each other.
//
// It is stricter than a card. Between two barriers the threads run in ascending order and in descending order by turns,
// so that a missing barrier gives a wrong result in one of them; a barrier that some threads of the block have left, and a
// shuffle that some lanes of the warp do not reach, end the launch with an error.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <math.h>
#include <memory>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

static dim3 threadIdx, blockIdx, blockDim, gridDim;
static const int warpSize = 32;

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

namespace shim {

enum State { READY, AT_BLOCK, AT_WARP, DONE };

struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    State state;
    dim3 thread;
    uint64_t slot;  // what this lane offers in a shuffle
};

static std::vector<Fiber> fibers;
static size_t count, now;
static ucontext_t scheduler;
static void (*body)();
static char message[200];
static std::vector<char> dynamic;  // shared memory that is sized at the launch

inline void fail(const char* why)
{
    if (!message[0])
        snprintf(message, sizeof message, "%s (block %u,%u,%u)", why, blockIdx.x, blockIdx.y, blockIdx.z);
}

// Several numbers that are loaded or stored at once.
template <class Several> Several* whole(const void* place)
{
    if (uintptr_t(place) % alignof(Several)) fail("numbers loaded or stored at once lie at no multiple of their size");
    return (Several*)place;
}

inline void wait(State state)
{
    fibers[now].state = state;
    swapcontext(&fibers[now].context, &scheduler);
}

inline void enter()
{
    body();
    fibers[now].state = DONE;  // and on to uc_link, the scheduler
}

// Lets the threads first..last pass if all of them wait for it.
inline bool release(size_t first, size_t last, State barrier)
{
    size_t waiting = 0, done = 0;
    for (size_t i = first; i < last; i++) {
        waiting += fibers[i].state == barrier;
        done += fibers[i].state == DONE;
    }
    if (!waiting || waiting + done < last - first) return false;
    if (done) {
        fail(barrier == AT_BLOCK ? "__syncthreads() is not reached by all threads" : "not all lanes reach a warp's call");
        return false;
    }
    for (size_t i = first; i < last; i++) fibers[i].state = READY;
    return true;
}

inline void start(size_t i)
{
    Fiber& fiber = fibers[i];
    if (fiber.stack.empty()) fiber.stack.resize(1 << 16);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, enter, 0);
    fiber.state = READY;
    unsigned j = i;
    fiber.thread.x = j % blockDim.x;
    fiber.thread.y = j / blockDim.x % blockDim.y;
    fiber.thread.z = j / blockDim.x / blockDim.y;
}

inline void run_block()
{
    for (size_t i = 0; i < count; i++) start(i);
    for (unsigned turn = 0; !message[0]; turn++) {
        size_t left = 0;
        for (size_t k = 0; k < count; k++) {
            now = turn % 2 ? count - 1 - k : k;
            if (fibers[now].state == READY) {
                threadIdx = fibers[now].thread;
                swapcontext(&scheduler, &fibers[now].context);
            }
            left += fibers[now].state != DONE;
        }
        if (!left) return;
        bool moved = false;
        for (size_t w = 0; w < count; w += 32) moved |= release(w, w + 32 < count ? w + 32 : count, AT_WARP);
        if (!moved) moved = release(0, count, AT_BLOCK);
        if (!moved) fail("threads wait for each other in different places");
    }
}

template <class Kernel> struct Call;

template <class... A> struct Call<void (*)(A...)> {
    static inline std::unique_ptr<std::tuple<A...>> arguments;
    static inline void (*kernel)(A...);

    static void thread() { std::apply(kernel, *arguments); }

    template <size_t... I> static void run(void (*k)(A...), void** args, std::index_sequence<I...>)
    {
        arguments = std::make_unique<std::tuple<A...>>(*static_cast<A*>(args[I])...);
        kernel = k;
        body = thread;
        for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
            for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
                for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++) {
                    if (message[0]) return;
                    // What a block finds in shared memory is garbage.
                    std::memset(dynamic.data(), 0xff, dynamic.size());
                    run_block();
                }
    }
};

template <class... A>
const char* launch(void (*kernel)(A...), const unsigned* geometry, unsigned shared, void** args)
{
    gridDim = {geometry[0], geometry[1], geometry[2]};
    blockDim = {geometry[3], geometry[4], geometry[5]};
    count = size_t(blockDim.x) * blockDim.y * blockDim.z;
    message[0] = 0;
    if (count > 1024) fail("a block has more than 1024 threads");
    if (fibers.size() < count) fibers.resize(count);
    dynamic.assign(shared + 16, 0);
    if (!message[0]) Call<void (*)(A...)>::run(kernel, args, std::index_sequence_for<A...>{});
    return message;
}

template <class V> V* shared()
{
    size_t start = reinterpret_cast<size_t>(dynamic.data());
    return reinterpret_cast<V*>(dynamic.data() + -start % 16);
}

template <class V> V exchange(V value, size_t from)
{
    static_assert(sizeof(V) <= 8, "a shuffle moves up to 8 bytes");
    std::memcpy(&fibers[now].slot, &value, sizeof value);
    wait(AT_WARP);
    if (from < count) std::memcpy(&value, &fibers[from].slot, sizeof value);
    wait(AT_WARP);
    return value;
}

}  // namespace shim

// What kernels call ---------------------------------------------------------------------------------------------

inline void __syncthreads() { shim::wait(shim::AT_BLOCK); }

inline void __syncwarp(unsigned = 0xffffffffu) { shim::wait(shim::AT_WARP); }

template <class V> V __shfl_sync(unsigned, V value, int lane, int = 32)
{
    return shim::exchange(value, shim::now / 32 * 32 + lane % 32);
}

template <class V> V __shfl_down_sync(unsigned, V value, unsigned delta, int width = 32)
{
    size_t lane = shim::now % width;
    return shim::exchange(value, lane + delta < size_t(width) ? shim::now + delta : shim::now);
}

template <class V> V __shfl_up_sync(unsigned, V value, unsigned delta, int width = 32)
{
    size_t lane = shim::now % width;
    return shim::exchange(value, lane >= delta ? shim::now - delta : shim::now);
}

template <class V> V __shfl_xor_sync(unsigned, V value, int mask, int width = 32)
{
    size_t lane = shim::now % width;
    return shim::exchange(value, shim::now - lane + ((lane ^ mask) % width));
}

template <class V> V __ldg(const V* from) { return *from; }

inline float __int_as_float(int bits)
{
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <class V> V min(V a, V b) { return b < a ? b : a; }
template <class V> V max(V a, V b) { return a < b ? b : a; }

inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }

#define SHIM 1
