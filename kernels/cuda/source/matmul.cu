// The matrix product by tiles (tiles.cuh), of one pair of matrices or of many, and the sum of partial products.
#include "tiles.cuh"

// out[batch] = a[batch] @ b[batch], a (M, K), b (K, N), out (M, N); turned matrices lie in memory as their transposes.
// blockIdx.x is the tile, those of a column first, blockIdx.y the batch. blockIdx.z is a part of the sum, `length`
// long: with more than one, out holds as many times all of the products, one a part.
template <int ROWS, int COLUMNS>
__device__ __forceinline__ void tile_of_product(
    const T* a, const T* b, T* out, int M, int N, int K, int a_turned, int b_turned, int length)
{
    int down = (M + ROWS - 1) / ROWS, row0 = blockIdx.x % down * ROWS, column0 = blockIdx.x / down * COLUMNS;
    int first = blockIdx.z * length, last = min(first + length, K);
    int a_stride = a_turned ? M : K, b_stride = b_turned ? K : N;
    long long batch = blockIdx.y;
    a += batch * M * K + (long long)row0 * (a_turned ? 1 : a_stride);
    b += batch * K * N + (long long)column0 * (b_turned ? b_stride : 1);
    out += (blockIdx.z * (long long)gridDim.y + batch) * M * N;

    Sums<ROWS, COLUMNS, ROWS == LARGE ? 2 : 4> sums;
    enum { THREADS = Sums<ROWS, COLUMNS>::THREADS };
    // Every matrix of a batch begins at a multiple of LANES where its lines do.
    Matrix<ROWS, THREADS> left(a, a_stride, !a_turned, M - row0, first, ROWS == LARGE || a_stride % LANES == 0);
    Matrix<COLUMNS, THREADS> right(b, b_stride, b_turned, N - column0, first, ROWS == LARGE || b_stride % LANES == 0);
    multiply(left, right, first, last, sums);

#pragma unroll
    for (int i = 0; i < SIDE; i++) {
        int row = row0 + sums.row(i);
        if (row >= M) continue;
        T* line = out + (long long)row * N;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int column = column0 + sums.column(half * LANES);
            if (N % LANES == 0) {
                if (column < N) store_pack(line + column, sums.pack(i, half));
            } else {
#pragma unroll
                for (int l = 0; l < LANES; l++)
                    if (column + l < N) line[column + l] = sums.at[i][half * LANES + l];
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, BESIDE) matmul_large(
    const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ out, int M, int N, int K, int a_turned,
    int b_turned, int length)
{
    tile_of_product<LARGE, LARGE>(a, b, out, M, N, K, a_turned, b_turned, length);
}

extern "C" __global__ void __launch_bounds__(64) matmul_small(
    const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ out, int M, int N, int K, int a_turned,
    int b_turned, int length)
{
    tile_of_product<SMALL, SMALL>(a, b, out, M, N, K, a_turned, b_turned, length);
}

// A product of up to FEW rows: what counts is to read b once, with as many loads under way as a card has room for.
enum { FEW = 4 };

// out (M, N) = a (M, K) @ b' (N, K), K a multiple of LANES: a warp a column, whose lanes share the sum.
extern "C" __global__ void __launch_bounds__(256) few_rows_turned(
    const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ out, int M, int N, int K)
{
    long long column = thread_of_grid() / 32;
    int lane = threadIdx.x % 32;
    if (column >= N) return;
    T sums[FEW] = {};
#pragma unroll 2
    for (int k = lane * LANES; k < K; k += 32 * LANES) {
        Pack line = load_pack(b + column * K + k);
#pragma unroll
        for (int m = 0; m < FEW; m++) {
            if (m >= M) continue;
            Pack row = load_pack(a + (long long)m * K + k);
#pragma unroll
            for (int l = 0; l < LANES; l++) sums[m] += row.lane[l] * line.lane[l];
        }
    }
#pragma unroll
    for (int m = 0; m < FEW; m++) {
#pragma unroll
        for (int distance = 16; distance; distance /= 2)
            sums[m] += __shfl_xor_sync(0xffffffffu, sums[m], distance);
        if (m < M && lane == 0) out[m * (long long)N + column] = sums[m];
    }
}

// out (parts, M, N) = a (M, K) @ b (K, N), N a multiple of LANES: a thread a pack of columns, over `length` numbers of
// the sum; blockIdx.y is the part.
extern "C" __global__ void __launch_bounds__(128) few_rows(
    const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ out, int M, int N, int K, int length)
{
    long long column = thread_of_grid() * LANES;
    int first = blockIdx.y * length, last = min(first + length, K);
    if (column >= N) return;
    Pack sums[FEW];
#pragma unroll
    for (int m = 0; m < FEW; m++) sums[m] = zero_pack();
#pragma unroll 4
    for (int k = first; k < last; k++) {
        Pack line = load_pack(b + (long long)k * N + column);
#pragma unroll
        for (int m = 0; m < FEW; m++) {
            if (m >= M) continue;
            T number = a[(long long)m * K + k];
#pragma unroll
            for (int l = 0; l < LANES; l++) sums[m].lane[l] += number * line.lane[l];
        }
    }
    for (int m = 0; m < FEW; m++)
        if (m < M) store_pack(out + ((long long)blockIdx.y * M + m) * N + column, sums[m]);
}

// out = the sum of `count` arrays that lie one after the other, first to last; plus b[f] of each image's F lines of
// `line` numbers, unless null.
extern "C" __global__ void add_parts(
    const T* __restrict__ parts, const T* __restrict__ b, T* __restrict__ out, int count, long long size, int F,
    int line)
{
    long long i = thread_of_grid();
    if (i >= size) return;
    T sum = parts[i];
    for (int part = 1; part < count; part++) sum += parts[part * size + i];
    out[i] = b ? sum + b[i / line % F] : sum;
}
