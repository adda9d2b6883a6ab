"""The input of training is the input of use: vis' preprocessing, picture by picture, is the judge."""

import numpy as np
import pytest

from minicnn.kernels.errors import ShapeError
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta
from minicnn.train.standardise import standardise
from minicnn.vis.image import preprocess

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)


def meta(order, **more):
    C = 1 if order == "L" else 3
    mean, std = (0.485, 0.456, 0.406)[:C], (0.229, 0.224, 0.225)[:C]
    fields = {"range": 1.0, "mean": mean, "std": std, **more}
    return Meta("net", (C, 8, 8), order, resize="squash", resize_to=8, **fields)


METAS = {
    "RGB": meta("RGB"),
    "BGR": meta("BGR", range=255.0, mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0)),
    "mean image": meta("BGR", mean_image=MeanImage(np.random.default_rng(1).normal(size=(3, 8, 8)))),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("name", METAS)
def test_same_as_one_picture_at_a_time(name, dtype):
    found = standardise(IMAGES.astype(dtype), METAS[name])
    assert found.dtype == np.float32 and found.flags.c_contiguous
    expected = np.concatenate([preprocess(image.transpose(1, 2, 0), METAS[name]) for image in IMAGES])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_greys():
    grey = meta("L")
    expected = np.concatenate([preprocess(image.transpose(1, 2, 0), grey) for image in IMAGES])
    # Pillow rounds its grey to a byte.
    np.testing.assert_allclose(standardise(IMAGES, grey), expected, atol=0.51 / 255 / 0.229)
    expected = np.concatenate([preprocess(image[0], grey) for image in IMAGES])
    np.testing.assert_allclose(standardise(IMAGES[:, :1], grey), expected, rtol=1e-5, atol=1e-5)


def test_images_of_another_size_take_the_mean():
    plain, image = meta("BGR", mean=(0.1, 0.2, 0.3)), METAS["mean image"]
    other = IMAGES[:, :, :4]
    expected = (other[:, ::-1] / 255 - np.reshape(image.mean, (1, 3, 1, 1))) / np.reshape(image.std, (1, 3, 1, 1))
    np.testing.assert_allclose(standardise(other, image), expected, rtol=1e-5, atol=1e-5)
    assert standardise(other, plain).shape == (3, 3, 4, 8)


def test_other_channels():
    with pytest.raises(ShapeError, match=r"\(3,1,8,8\)"):
        standardise(IMAGES[:, :1], METAS["RGB"])
    with pytest.raises(ShapeError, match=r"\(3,2,8,8\)"):
        standardise(IMAGES[:, :2], meta("L"))
    with pytest.raises(ShapeError, match=r"\(3,8,8\)"):
        standardise(IMAGES[0], METAS["RGB"])
