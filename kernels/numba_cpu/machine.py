"""This machine's vector unit, and the tile that fits its registers.

A tile is ROWS rows of VECTORS vectors; all of it stays in registers while a product runs, beside VECTORS loaded
vectors and one broadcast number:

    processor   vector   registers   tile
    AVX-512     64 B     32          8 rows x 3 vectors
    AVX2, FMA   32 B     16          4 rows x 3 vectors
    NEON        16 B     32          8 rows x 3 vectors
    any other   16 B     16          4 rows x 3 vectors; LLVM makes do with what there is
"""

import platform

from llvmlite.binding import get_host_cpu_features

VECTORS = 3


def vector_unit():
    """(bytes of a vector, rows of a tile, whether it multiplies and adds in one) on this machine."""
    try:
        features = get_host_cpu_features()
    except RuntimeError:  # LLVM cannot ask every processor
        features = {}
    if features.get("avx512f"):
        return 64, 8, True
    if features.get("avx2") and features.get("fma"):
        return 32, 4, True
    if platform.machine().lower() in ("arm64", "aarch64"):
        return 16, 8, True
    return 16, 4, False


VECTOR_BYTES, ROWS, HAS_FMA = vector_unit()
# The last tile of a matrix with few rows left, such as the three colours of an image's gradient.
NARROW = ROWS // 2
