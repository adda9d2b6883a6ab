// The matrix product by tiles (tiles.cuh), of one pair of matrices or of many, and the sum of partial products.
#include "tiles.cuh"

// out[batch] = a[batch] @ b[batch], a (M, K), b (K, N), out (M, N); turned matrices lie in memory as their transposes.
// blockIdx.x is the tile, those of a column first, blockIdx.y the batch. blockIdx.z is a part of the sum, `length` long:
// with more than one, out holds as many times all of the products, one a part.
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

// out = the sum of `count` arrays that lie one after the other, first to last; plus b[f] of each image's F lines of
// `line` numbers, unless null.
extern "C" __global__ void add_parts(
    const T* __restrict__ parts, const T* __restrict__ b, T* __restrict__ out, int count, long long size, int F, int line)
{
    long long i = thread_of_grid();
    if (i >= size) return;
    T sum = parts[i];
    for (int part = 1; part < count; part++) sum += parts[part * size + i];
    out[i] = b ? sum + b[i / line % F] : sum;
}
