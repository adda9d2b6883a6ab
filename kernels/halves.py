"""A batch that memory does not hold, one half after the other."""


def in_halves(function, *batches):
    """[function(*batches)]; where memory does not do, function of the first halves and of the second ones, once.

    function  computes each image by itself; any MemoryError of it, kernels.errors.OutOfMemoryError too, counts
    batches   arrays (N, ...), of one N
    """
    try:
        return [function(*batches)]
    except MemoryError:
        if len(batches[0]) < 2:
            raise
    # Past the `except`: an error holds the arrays of the frames that it came through.
    half = -(-len(batches[0]) // 2)
    return [function(*(batch[part] for batch in batches)) for part in (slice(half), slice(half, None))]
