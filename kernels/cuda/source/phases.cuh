// A phase of a stride (conv_phases.py), as the input's gradient sees it: which cells of the output's gradients a pixel
// meets. The sum of a pixel goes over the phase's taps and, for each, over the group's filters, whose number is rounded
// up to `filters`, a multiple of DEPTH: while the tap is the same, the cell stays where it is.
#include "tiles.cuh"

// One phase along one axis, see conv_phases.Axis.
struct Axis {
    int first, count, step, taps, cell, back;
};

struct Shape {
    int N, FG, CG, H, W, OH, OW, filters, channels;  // the last two: FG and CG rounded up
};

// Where a pixel's sum has come to: place k, a filter at a tap, and the cell that the tap meets. It moves on by DEPTH
// places at a time, which never are of two taps.
struct Pixel {
    const T* image;  // the group's first filter's gradients in the pixel's image
    int y, x;        // the cell that the tap meets, which may lie outside of them
    int b, f;        // the tap's column, the filter

    __device__ __forceinline__ Pixel(
        const T* dout, const Shape& s, const Axis& rows, const Axis& columns, int pixel, int k)
    {
        int place = pixel % (rows.count * columns.count), n = pixel / (rows.count * columns.count);
        int tap = k / s.filters;
        image = dout + ((long long)n * gridDim.y + blockIdx.y) * s.FG * s.OH * s.OW;
        b = tap % columns.taps;
        f = k % s.filters;
        y = n < s.N ? rows.cell + place / columns.count - rows.back * (tap / columns.taps) : -1;  // and from there down
        x = columns.cell + place % columns.count - columns.back * b;
    }

    __device__ __forceinline__ bool meets(const Shape& s) const
    {
        return unsigned(y) < unsigned(s.OH) && unsigned(x) < unsigned(s.OW);
    }

    __device__ __forceinline__ const T* met(const Shape& s) const
    {
        return image + (long long)f * (s.OH * s.OW) + y * s.OW + x;
    }

    __device__ __forceinline__ void advance(const Shape& s, const Axis& rows, const Axis& columns)
    {
        f += DEPTH;
        if (f < s.filters) return;
        f -= s.filters;
        x -= columns.back;
        b++;
        if (b < columns.taps) return;
        x += columns.back * b;
        b = 0;
        y -= rows.back;
    }
};

// Where dx has a pixel of the phase, of the group's first channel; nullptr past the last one.
__device__ __forceinline__ T* place_of(T* dx, const Shape& s, const Axis& rows, const Axis& columns, int pixel)
{
    int place = pixel % (rows.count * columns.count), n = pixel / (rows.count * columns.count);
    int y = rows.first + rows.step * (place / columns.count);
    int x = columns.first + columns.step * (place % columns.count);
    long long image = ((long long)blockIdx.z * s.N + n) * gridDim.y + blockIdx.y;
    return n < s.N ? dx + image * s.CG * s.H * s.W + y * s.W + x : nullptr;
}
