"""What is changed where an image is worked out step by step: its pixels, or its waves.

Both map parameters to an image by a linear map A, so that the way back is its adjoint and needs no image:

    x = image(params) = A params        dparams = pull(dx) = A' dx        <A p, x> = <p, A' x>

    Pixels    A = 1
    Fourier   A = colours * (inverse Fourier transform) * 1/f         Olah, Mordvintsev & Schubert [1]

The steepest direction depends on what is changed. In pixels it is full of high frequencies, of which the strided layers
of a net are fond; in waves scaled by 1/f, as in photos, all frequencies and colours take part alike.

x, dx   (N, C, H, W) float64; 0 is the mean colour, and 1 is how far white is from black
params  Pixels: as x; Fourier: (N, C, H, W//2 + 1, 2) float64, real and imaginary parts

[1] Feature Visualization, Distill 2017, "Preconditioning and Parameterization"
"""

import numpy as np

_AXES = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]).T / np.sqrt([3, 2, 6])
_SPREAD = np.sqrt([0.2175, 0.0188, 0.0045])
COLOURS = _AXES * (_SPREAD / _SPREAD[0])
"""(3, 3), red, green and blue of each axis along which photos' colours vary independently, as long as they vary there.

The axes are brightness, red against blue, green against both; the principal components of ImageNet's colours are
within a degree of them. Their variances 0.2175, 0.0188, 0.0045 are those that facebook/fb.resnet.torch
(datasets/imagenet.lua) published for the colour augmentation of Krizhevsky et al., NeurIPS 2012, section 4.1.
"""


class Pixels:
    """The image as it is."""

    def __init__(self, shape, channel_order="RGB"):
        self.shape = tuple(shape)

    def params(self, x):
        """The parameters of an image: the inverse of `image`."""
        return np.array(x, np.float64)

    def image(self, params):
        return params.copy()

    def pull(self, dx):
        return dx.copy()


class Fourier:
    """The image as a spectrum whose coefficients are scaled by 1/f, of colours that are made independent.

        x[n, c] = sum over k of COLOURS[c, k] * F^-1(params[n, k] / max(f, 1/max(H, W)))

    F^-1 the orthonormal inverse transform of a real image, f the frequency in waves a pixel. Coefficients that a real
    image leaves no choice of (the imaginary part at f = 0 among them) count by what the image takes of them. Images of
    other than three channels have no colours: their channels stay apart.

    channel_order  "BGR" turns the colours round
    """

    def __init__(self, shape, channel_order="RGB"):
        self.shape = tuple(shape)
        C, H, W = self.shape[1:]
        f = np.hypot(np.fft.fftfreq(H)[:, None], np.fft.rfftfreq(W))
        self.scale = 1 / np.maximum(f, 1 / max(H, W))
        colours = COLOURS if C == 3 else np.eye(C)
        self.colours = colours[::-1] if channel_order == "BGR" else colours
        # Half of the spectrum is stored: its waves count twice, but for those that are their own mirror image.
        self.copies = np.full(W // 2 + 1, 2.0)
        self.copies[0] = 1
        if W % 2 == 0:
            self.copies[-1] = 1

    def params(self, x):
        """The parameters of an image: `image(params(x))` is x."""
        spectrum = np.fft.rfft2(_mix(np.linalg.inv(self.colours), x), norm="ortho") / self.scale
        return np.stack([spectrum.real, spectrum.imag], axis=-1)

    def image(self, params):
        spectrum = (params[..., 0] + 1j * params[..., 1]) * self.scale
        return _mix(self.colours, np.fft.irfft2(spectrum, s=self.shape[2:], norm="ortho"))

    def pull(self, dx):
        spectrum = np.fft.rfft2(_mix(self.colours.T, dx), norm="ortho") * self.scale * self.copies
        return np.stack([spectrum.real, spectrum.imag], axis=-1)


SPACES = {"pixels": Pixels, "fourier": Fourier}


def _mix(matrix, x):
    """out[n, c] = sum over k of matrix[c, k] * x[n, k]."""
    return np.einsum("ck,nkhw->nchw", matrix, x)
