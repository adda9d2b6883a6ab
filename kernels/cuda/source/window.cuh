// What the operations on windows share. Places within an image fit an int, which a card divides much faster than 64 bits.

struct Windows {
    int N, C, H, W, KH, KW, SH, SW, DH, DW, top, left, OH, OW;
};

// The first cell i of a window that can read `place`: stride divides place - i*dilation; kernel if none does.
__device__ __forceinline__ int first_cell(int place, int kernel, int stride, int dilation, int jump)
{
    for (int i = 0; i < kernel && i < jump; i++)
        if ((place - i * dilation) % stride == 0) return i;
    return kernel;
}

// This thread's number in x, where an image's numbers stand.
__device__ __forceinline__ int thread_of_image() { return blockIdx.x * blockDim.x + threadIdx.x; }
