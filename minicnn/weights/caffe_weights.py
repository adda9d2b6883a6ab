"""A Caffe layer's arrays of weights, in the shapes that it should have."""

from ..kernels.shapes import show
from . import caffe


def weights(layer, *shapes):
    """The layer's arrays, one a shape, float32.

    shapes  None in them stands for any size. The legacy form of a file puts ones before a shape, and they are taken
            away; of a vector also those after it
    Raises FormatError for another number of arrays, and for another shape.
    """
    if len(layer.blobs) != len(shapes):
        raise layer.error(f"it has {len(layer.blobs)} arrays of weights, expected {len(shapes)}")
    return [_fitted(layer, i, shape) for i, shape in enumerate(shapes)]


def _fitted(layer, i, shape):
    array, _ = caffe.blob_array(layer.blobs[i], f"{layer.name}.{i}")
    found = array.shape
    if len(shape) == 1 and array.size == max(found, default=1):
        found = (array.size,)
    while len(found) > len(shape) and found[0] == 1:
        found = found[1:]
    if len(found) != len(shape) or any(want not in (None, has) for has, want in zip(found, shape)):
        wanted = show("?" if size is None else size for size in shape)
        raise layer.error(f"its weights {i} have shape {show(array.shape)}, expected {wanted}")
    return array.reshape(found)


def channels(layer, groups):
    """How many channels a convolution reads; None where its file has no weights for it."""
    if not layer.blobs:
        return None
    array, _ = caffe.blob_array(layer.blobs[0], f"{layer.name}.0")
    return array.shape[1] * groups if array.ndim == 4 else None
