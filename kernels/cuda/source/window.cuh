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

// Along one axis, the windows that read a number of an image `place` cells from the padding's edge:
// for (i = cell, o = window; i < kernel && o >= 0; i += jump, o -= back), where o is a window.
struct Readers {
    int cell, window, jump, back;

    __device__ __forceinline__ Readers(int place, int kernel, int stride, int dilation, int jump)
        : cell(first_cell(place, kernel, stride, dilation, jump)), window((place - cell * dilation) / stride),
          jump(jump), back(jump * dilation / stride)
    {
    }
};

// This thread's number in x, where an image's numbers stand.
__device__ __forceinline__ int thread_of_image() { return blockIdx.x * blockDim.x + threadIdx.x; }
