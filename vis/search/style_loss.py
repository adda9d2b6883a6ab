"""What an image's content and its style are, in numbers, and how far another image is from them.

With F (C, M) a layer's output, the M positions in a row, and s a number a layer:

    content = 1/2 * mean of (s * F - s * P)^2                           P of the photo
    style   = 1 / (4 * C^2) * sum of (G / M - A)^2,   G = (s * F) (s * F)'  the Gram matrix, (C, C)
    A       = sum over paintings k of share[k] * G[k] / M[k]

For one painting with as many positions as the image the style term is the paper's E = sum of (G - A)^2 / (4 C^2 M^2).
Its content term is 1/2 * the sum: by the mean the balance between both stays the same for images of all sizes.

s makes the mean size of the layer's values 1, halfway between the photo's and the paintings': so layers weigh alike and
one balance suits many nets. The paper scales its net for that, filter by filter, with many other images.

Gatys, Ecker & Bethge, Image Style Transfer Using Convolutional Neural Networks, CVPR 2016, equations 1 to 6
"""

import numpy as np


def content_term(F, P):
    """(value, dF): value = 1/2 * mean of (F - P)^2; F, P, dF of one shape."""
    difference = F - P
    return 0.5 * np.square(difference, dtype=np.float64).mean(), difference / F.size


def gram(F):
    """(C, C) float64: G[i,j] / M = mean over positions of F[i] * F[j]; F (C, H, W)."""
    rows = F.reshape(len(F), -1)
    return (rows @ rows.T).astype(np.float64) / rows.shape[1]


def style_term(F, A):
    """(value, dF): value = 1 / (4 * C^2) * sum of (G / M - A)^2.

        d value / dF = 1 / (C^2 * M) * (G / M - A) F          as both matrices are symmetric

    F, dF  (C, H, W)
    A      (C, C), divided by the number of its positions, as `gram` gives it
    """
    C = len(F)
    difference = gram(F) - A
    rows = F.reshape(C, -1)
    dF = (difference / (C**2 * rows.shape[1])).astype(F.dtype) @ rows
    return np.square(difference).sum() / (4 * C**2), dF.reshape(F.shape)


class StyleLoss:
    """How far an image is from a photo's content and from some paintings' style.

    several        the net, `several.Several`, of all the layers named here
    photo          (1, C, H, W), preprocessed, of the image's size
    paintings      [(1, C, h, w)], each of its own size
    shares         of the paintings, one number each, summing to 1
    content_layers {layer: weight}
    style_layers   {layer: weight}
    """

    def __init__(self, several, photo, paintings, shares, content_layers, style_layers):
        self.several, self.content_layers, self.style_layers = several, content_layers, style_layers
        of_photo, *of_paintings = [several.look(image)[0] for image in (photo, *paintings)]
        self.scales, self.contents, self.grams = {}, {}, {}
        for name in several.names:
            outs = [outs[name][0] for outs in (of_photo, *of_paintings)]
            size = sum(w * np.abs(out).mean(dtype=np.float64) for w, out in zip([1, *shares], outs)) / 2
            s = self.scales[name] = outs[0].dtype.type(1 / size if size > 0 else 1)
            if name in content_layers:
                self.contents[name] = s * outs[0]
            if name in style_layers:
                self.grams[name] = sum(share * gram(s * out) for share, out in zip(shares, outs[1:]))

    def __call__(self, x, content_weight, style_weight):
        """((content, style), dx): both terms, each summed over its layers, and the gradient of their weighted sum.

        x  (1, C, H, W), preprocessed
        """
        outs, tape = self.several.look(x)
        content, style, douts = 0.0, 0.0, {}
        for name, out in outs.items():
            s = self.scales[name]
            F, dF = s * out[0], 0
            if name in self.contents:
                value, slope = content_term(F, self.contents[name])
                content += self.content_layers[name] * value
                dF = dF + content_weight * self.content_layers[name] * slope
            if name in self.grams:
                value, slope = style_term(F, self.grams[name])
                style += self.style_layers[name] * value
                dF = dF + style_weight * self.style_layers[name] * slope
            douts[name] = np.ascontiguousarray((s * dF)[None], out.dtype)
        del outs
        return (content, style), self.several.walk(tape, douts)
