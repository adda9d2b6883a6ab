// The product of two matrices, a tile of the result a block: what matrix products and convolutions have in common.
//
// A block computes ROWS x COLUMNS numbers: it brings DEPTH numbers of the sum at a time of all its rows and all its
// columns to shared memory, where each thread reads two packs of rows and two packs of columns and multiplies all with
// all. While it multiplies one part, the loads of the next are under way to registers, and they are put where the part
// before the last was: one barrier a part.
//
// An operand is a struct with `fetch(k, last)`, which loads to registers what this thread brings of the DEPTH numbers
// from k on, the calls' k rising by DEPTH (zeros from `last` on, and for lines past the edge), and `put(lines)`, which
// stores it to shared memory.
#include "common.cuh"

enum {
    DEPTH = 8,
    SIDE = 2 * LANES,          // a thread has SIDE x SIDE sums
    WARP_ROWS = 4 * SIDE,      // a warp's threads stand in 4 rows
    WARP_COLUMNS = 8 * SIDE,   // of 8: a pack of each thread of a row is 128 bytes, and meets no bank twice
    SMALL = 8 * SIDE,          // 64 floats
    LARGE = 16 * SIDE,         // 128 floats
    BESIDE = 2                 // blocks of large tiles in a multiprocessor: a thread has 128 registers
};

// DEPTH numbers of WIDTH rows or columns. A line is a pack longer than it need be: the threads that store numbers of
// one row then meet different banks.
template <int WIDTH> struct alignas(16) Lines {
    T at[DEPTH][WIDTH + LANES];
};

__device__ __forceinline__ Pack zero_pack()
{
    Pack pack;
    for (int l = 0; l < LANES; l++) pack.lane[l] = T(0);
    return pack;
}

// What a thread computes of its block's tile: the rows row(0) .. row(SIDE - 1), the columns column(0) ..
//
// UNROLLED   so many numbers of the sum at once: with all DEPTH the compiler moves loads far ahead of their use, for
//            which a kernel needs the registers
template <int ROWS, int COLUMNS, int UNROLLED = 2> struct Sums {
    enum { ACROSS = COLUMNS / WARP_COLUMNS, THREADS = ROWS / SIDE * (COLUMNS / SIDE) };

    T at[SIDE][SIDE];
    int top, left;

    __device__ __forceinline__ Sums()
    {
        int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        top = warp / ACROSS * WARP_ROWS + lane / 8 * LANES;
        left = warp % ACROSS * WARP_COLUMNS + lane % 8 * LANES;
#pragma unroll
        for (int i = 0; i < SIDE; i++)
#pragma unroll
            for (int j = 0; j < SIDE; j++) at[i][j] = T(0);
    }

    // A thread's two packs stand half a warp's tile apart.
    __device__ __forceinline__ int row(int i) const { return top + i / LANES * (WARP_ROWS / 2) + i % LANES; }

    __device__ __forceinline__ int column(int j) const { return left + j / LANES * (WARP_COLUMNS / 2) + j % LANES; }

    __device__ __forceinline__ Pack pack(int i, int half) const
    {
        Pack pack;
#pragma unroll
        for (int l = 0; l < LANES; l++) pack.lane[l] = at[i][half * LANES + l];
        return pack;
    }

    __device__ __forceinline__ void add(const Lines<ROWS>& a, const Lines<COLUMNS>& b)
    {
#pragma unroll UNROLLED
        for (int k = 0; k < DEPTH; k++) {
            Pack rows[2] = {load_pack(&a.at[k][row(0)]), load_pack(&a.at[k][row(LANES)])};
            Pack columns[2] = {load_pack(&b.at[k][column(0)]), load_pack(&b.at[k][column(LANES)])};
#pragma unroll
            for (int i = 0; i < SIDE; i++)
#pragma unroll
                for (int j = 0; j < SIDE; j++)
                    at[i][j] += rows[i / LANES].lane[i % LANES] * columns[j / LANES].lane[j % LANES];
        }
    }
};

// sums += the product of two operands over first <= k < last. All threads of the block call it.
template <int ROWS, int COLUMNS, int UNROLLED, class Left, class Right>
__device__ __forceinline__ void multiply(
    Left& left, Right& right, int first, int last, Sums<ROWS, COLUMNS, UNROLLED>& sums)
{
    __shared__ Lines<ROWS> a[2];
    __shared__ Lines<COLUMNS> b[2];
    left.fetch(first, last);
    right.fetch(first, last);
    left.put(a[0]);
    right.put(b[0]);
    __syncthreads();
    int now = 0;
    for (int k = first; k < last; k += DEPTH) {
        bool more = k + DEPTH < last;
        if (more) {
            left.fetch(k + DEPTH, last);
            right.fetch(k + DEPTH, last);
        }
        sums.add(a[now], b[now]);
        if (more) {
            now ^= 1;
            left.put(a[now]);
            right.put(b[now]);
            __syncthreads();
        }
    }
}

// An operand that lies in memory: lines (rows of the left matrix, columns of the right one) of numbers along the sum,
// of which either those of one line are neighbours or those of one place in the sum. Neighbouring threads load
// neighbours, and packs of them where every pack begins at a multiple of 16 bytes.
template <int WIDTH, int THREADS> struct Matrix {
    enum { COUNT = WIDTH * DEPTH / THREADS };

    T number[COUNT];
    const T* at;  // this thread's first number of the part that it fetches next
    int stride, lines, line, place;  // place: in the part
    bool along, packed;

    // from       line 0's number at the sum's place 0; lines from `count` on do not exist
    // along      number k of line i is from[i * stride + k]; else it is from[k * stride + i]
    // first      where the sum begins
    // packed     `from`, `stride` and the end of what exists are multiples of LANES
    __device__ __forceinline__ Matrix(const T* from, int stride, bool along, int count, int first, bool packed)
        : stride(stride), lines(count), along(along), packed(packed)
    {
        int lanes = packed ? LANES : 1, width = (along ? DEPTH : WIDTH) / lanes;
        int fast = threadIdx.x % width * lanes, slow = threadIdx.x / width;
        line = along ? slow : fast;
        place = along ? fast : slow;
        at = from + (along ? (long long)line * stride + first + place : (long long)(first + place) * stride + line);
    }

    // A column's own beginning, where columns do not lie one after the other: every pack's columns must.
    __device__ __forceinline__ void move(long long by) { at += by; }

    // How far a thread's loads are apart, each of LENGTH numbers: in lines or in places.
    template <int LENGTH> __device__ __forceinline__ int line_step() const
    {
        return along ? THREADS / (DEPTH / LENGTH) : 0;
    }

    template <int LENGTH> __device__ __forceinline__ int place_step() const
    {
        return along ? 0 : THREADS / (WIDTH / LENGTH);
    }

    // Load e of LENGTH numbers; null where there is nothing.
    template <int LENGTH> __device__ __forceinline__ const T* load(int e, int k, int last) const
    {
        int down = e * line_step<LENGTH>(), on = e * place_step<LENGTH>();
        bool inside = line + down < lines && k + place + on < last;
        return inside ? at + (long long)stride * (down + on) : nullptr;
    }

    __device__ __forceinline__ void fetch(int k, int last)
    {
        if (packed) {
#pragma unroll
            for (int e = 0; e < COUNT / LANES; e++) {
                const T* from = load<LANES>(e, k, last);
                Pack pack = from ? load_pack(from) : zero_pack();
#pragma unroll
                for (int l = 0; l < LANES; l++) number[e * LANES + l] = pack.lane[l];
            }
        } else {
#pragma unroll
            for (int e = 0; e < COUNT; e++) {
                const T* from = load<1>(e, k, last);
                number[e] = from ? *from : T(0);
            }
        }
        at += along ? DEPTH : (long long)DEPTH * stride;
    }

    __device__ __forceinline__ void put(Lines<WIDTH>& to) const
    {
        if (!packed) {
#pragma unroll
            for (int e = 0; e < COUNT; e++)
                to.at[place + e * place_step<1>()][line + e * line_step<1>()] = number[e];
        } else if (along) {
#pragma unroll
            for (int e = 0; e < COUNT; e++)
                to.at[place + e % LANES][line + e / LANES * line_step<LANES>()] = number[e];
        } else {
#pragma unroll
            for (int e = 0; e < COUNT / LANES; e++) {
                Pack pack;
#pragma unroll
                for (int l = 0; l < LANES; l++) pack.lane[l] = number[e * LANES + l];
                store_pack(&to.at[place + e * place_step<LANES>()][line], pack);
            }
        }
    }
};
