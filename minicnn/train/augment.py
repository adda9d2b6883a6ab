"""Changes of training images that leave their class as it is.

Each is a function of a batch and a generator: every image of the batch is changed by chance in its own way, and the
batch that is given stays as it is.

    images  (N, C, H, W), uint8 or float; pixels 0..255 in both. uint8 stays uint8: rounded, then held to 0..255
    rng     np.random.Generator
"""

import numpy as np
from PIL import Image

from ..errors import UsageError
from ..kernels.errors import ShapeError
from ..kernels.shapes import show

# Of red, green and blue in a grey: ITU-R BT.601.
_GREY = np.float32([0.299, 0.587, 0.114])


def random_crop(images, rng, size=None, pad=0):
    """A window of each image, anywhere.

        out[n,c,i,j] = images[n,c, i + top_n - pad, j + left_n - pad],  0 outside of the image

    size    (OH, OW) of the window; the image's own size unless given, which needs a pad
    pad     pixels of 0 on each side; 4 is usual for 32x32 [1]
    out     (N, C, OH, OW); top_n in 0..H + 2*pad - OH and left_n likewise, each place as likely
    Raises ShapeError where the window is larger than the padded image.
    [1] He, Zhang, Ren & Sun, CVPR 2016, section 4.2
    """
    N, _, H, W = images.shape
    OH, OW = size or (H, W)
    rows, columns = H + 2 * pad - OH + 1, W + 2 * pad - OW + 1
    if rows < 1 or columns < 1:
        raise ShapeError(f"a window {OH}x{OW} does not fit into images {show(images.shape)} with pad {pad}")
    padded = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (OH, OW), axis=(2, 3))
    top, left = rng.integers(rows, size=N), rng.integers(columns, size=N)
    return windows[np.arange(N), :, top, left]


def flip(images, rng):
    """Left and right exchanged in half of the images: out[n,c,i,j] = images[n,c,i, W-1-j], or images[n,c,i,j]."""
    chosen = rng.random(len(images)) < 0.5
    return np.where(chosen[:, None, None, None], images[..., ::-1], images)


def scale(images, rng, low=0.8, high=1.25):
    """Each image grown by a factor s_n in low..high about its middle; its size stays, its border goes on outwards.

        out[n,c,i,j] = images[n,c, (i - my)/s_n + my, (j - mx)/s_n + mx],   my = (H-1)/2, mx = (W-1)/2

    Between pixels bilinear. log s_n is uniform: half as large is as likely as twice as large.
    """
    if not 0 < low <= high:
        raise UsageError(f"scale from {low} to {high}: 0 < low <= high is needed")
    N, _, H, W = images.shape
    s = np.exp(rng.uniform(np.log(low), np.log(high), N))
    y0, y1, fy = _between(H, s)
    x0, x1, fx = _between(W, s)
    n = np.arange(N)[:, None]
    rows = images.transpose(0, 2, 3, 1).astype(np.float32)  # channels last: each pixel is moved whole
    fy, fx = fy[:, :, None, None], fx[:, None, :, None]
    rows = rows[n, y0] * (1 - fy) + rows[n, y1] * fy
    n = n[:, :, None]
    y = np.arange(H)[None, :, None]
    out = rows[n, y, x0[:, None, :]] * (1 - fx) + rows[n, y, x1[:, None, :]] * fx
    return _like(images, np.ascontiguousarray(out.transpose(0, 3, 1, 2)))


def affine(images, rng, turn=0.2, growth=0.15, shift=2):
    """Each image turned, scaled and shifted a little over black: for digits, which all have one size and one place.

        out[n] = images[n] turned by a_n about its middle, grown by s_n, moved by (dy_n, dx_n)

    turn    a_n is uniform in -turn..turn radians
    growth  s_n is uniform in 1 - growth .. 1 + growth
    shift   dy_n and dx_n are uniform in -shift..shift pixels
    images  uint8; between pixels bilinear, as Pillow computes it
    """
    if images.dtype != np.uint8:
        raise ShapeError(f"affine moves images of type uint8, not {images.dtype}")
    N, C, H, W = images.shape
    angle, s = rng.uniform(-turn, turn, N), rng.uniform(1 - growth, 1 + growth, N)
    moved = rng.uniform(-shift, shift, (N, 2))
    cos, sin = np.cos(angle) / s, np.sin(angle) / s
    out = np.empty_like(images)
    for n in range(N):
        y, x = H / 2 + moved[n, 0], W / 2 + moved[n, 1]  # where the middle goes to
        # Where each new pixel is read, (a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f.
        a, b = cos[n], sin[n]
        there = (a, b, W / 2 - a * x - b * y, -b, a, H / 2 + b * x - a * y)
        for c in range(C):
            image = Image.fromarray(images[n, c])
            out[n, c] = image.transform((W, H), Image.Transform.AFFINE, there, Image.Resampling.BILINEAR)
    return out


def colour_jitter(images, rng, brightness=0.4, contrast=0.4, saturation=0.4):
    """Brighter or darker, then more or less contrast, then more or less colour; three factors an image.

        x <- b x;   x <- c x + (1-c) mean of grey(x);   x <- s x + (1-s) grey(x)

    grey(x) = 0.299 R + 0.587 G + 0.114 B. b is uniform in 1 - brightness .. 1 + brightness, c and s likewise. After
    each step values are held to 0..255. Needs C = 3.
    [1] Howard, Some Improvements on Deep Convolutional Neural Network Based Image Classification, 2013, section 2.2
    """
    _three(images)
    draws = [rng.uniform(1 - r, 1 + r, (len(images), 1, 1, 1)) for r in (brightness, contrast, saturation)]
    b, c, s = (draw.astype(np.float32) for draw in draws)
    x = np.clip(b * images, 0, 255)
    mean = _grey(x).mean(axis=(2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
    x = np.clip(c * x + (1 - c) * mean, 0, 255)
    return _like(images, s * x + (1 - s) * _grey(x))


def principal_colours(images):
    """(values (3,), vectors (3, 3)): the covariance of all pixels' red, green and blue, white being 1.

        covariance @ vectors[:, k] = values[k] * vectors[:, k]      values fall

    images  (N, 3, H, W); computed in float64, 1000 images at a time
    """
    _three(images)
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for i in range(0, len(images), 1000):
        pixels = images[i : i + 1000].transpose(1, 0, 2, 3).reshape(3, -1) / 255.0
        count, total, products = count + pixels.shape[1], total + pixels.sum(axis=1), products + pixels @ pixels.T
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    return values[::-1].copy(), vectors[:, ::-1].copy()


def lighting(images, rng, values, vectors, std=0.1):
    """One colour added to all pixels of an image: the light's strength and colour.

        out = images + 255 * sum over k of a_k * values[k] * vectors[:, k],   a_k ~ Normal(0, std), three an image

    values, vectors  of `principal_colours` of the training images
    [1] Krizhevsky, Sutskever & Hinton, NIPS 2012, section 4.1
    """
    _three(images)
    a = rng.normal(0, std, (len(images), 3))
    colour = (255 * (a * values) @ np.transpose(vectors)).astype(np.float32)
    return _like(images, images + colour[:, :, None, None])


def cutout(images, rng, side, fill=0):
    """A square of each image filled: side x side pixels, less what is outside of the image; its middle anywhere in it.

    fill  the new value, or one a channel: the mean of the training images, if the net is to see 0
    [1] DeVries & Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017, section 3
    """
    N, C, H, W = images.shape
    inside = [
        (offset >= 0) & (offset < side)
        for length in (H, W)
        for offset in [np.arange(length) - rng.integers(length, size=N)[:, None] + side // 2]
    ]
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return np.where(hole, np.broadcast_to(_like(images, np.asarray(fill, np.float64)), C)[:, None, None], images)


def noise(images, rng, size):
    """Every pixel made lighter or darker by itself: out = images + e, e uniform in -size..size, held to 0..255.

    Before one step of FGSM it keeps adversarial training from catastrophic overfitting; size is then 2 eps [1].
    [1] de Jorge et al., Make Some Noise: Reliable and Efficient Single-Step Adversarial Training, NeurIPS 2022
    """
    # One draw of float32 in [0, 1) a number, whatever the images' dtype.
    return _like(images, images + size * (2 * rng.random(images.shape, np.float32) - 1))


def _between(length, s):
    """Where new pixels are read, (N, length) each: the pixel before, the one behind, how far between them."""
    middle = (length - 1) / 2
    place = np.clip((np.arange(length) - middle) / s[:, None] + middle, 0, length - 1)
    before = np.floor(place).astype(np.int64)
    return before, np.minimum(before + 1, length - 1), (place - before).astype(np.float32)


def _grey(x):
    return np.einsum("nchw,c->nhw", x, _GREY)[:, None]


def _three(images):
    if images.ndim != 4 or images.shape[1] != 3:
        raise ShapeError(f"images {show(images.shape)}, expected (N,3,H,W)")


def _like(images, x):
    x = np.clip(x, 0, 255)
    return np.round(x).astype(np.uint8) if images.dtype == np.uint8 else x.astype(images.dtype)
