"""One photo on its way into the style of some paintings; see `style`."""

import numpy as np

from ..image import contrast
from .pyramid import resize
from .regularisers import total_variation
from .style_colours import grey_like, luminance, matched, with_luminance
from .style_loss import StyleLoss
from .unit_box import UnitBox


class Canvas:
    """What is painted, on what, after which paintings: pictures (1, C, H, W) float64 from 0, black, to 1, white.

    net        with the nodes that `several` reads
    several    `several.Several` of all layers of `layers`
    photo      whose content is kept
    paintings  each of its own size
    colours    "style", "matched" or "luminance", as `style` explains them
    noise      what to start from instead of the photo, or None
    shares     of the paintings
    layers     ({layer: weight} for the content, the same for the style)
    weights    (of the style, of the variation)
    """

    def __init__(self, net, several, photo, paintings, colours, noise, shares, layers, weights):
        self.net, self.several, self.shares, self.layers, self.weights = net, several, shares, layers, weights
        self.photo = photo if colours == "luminance" else None  # whose colours come back in the end
        self.content, self.paintings = _coloured(photo, paintings, colours, net.meta.channel_order)
        self.start = self.image = self.content if noise is None else noise
        self.curve = []  # (content, style, variation) after each step

    def paint(self, sizes, descend, steps, ticks):
        """Lower the loss at all sizes, from coarse to fine; the image is kept as far as it comes."""
        for size in sizes:
            self._paint(size, descend, steps, ticks)

    def _paint(self, size, descend, steps, ticks):
        image, loss, parts = resize(self.image, size), self._loss(size), None

        def total(image):
            nonlocal parts
            value, slope, parts = loss(image)
            return value, slope

        def done():
            self.curve.append(parts)
            ticks.update()

        try:
            descend(image, total, steps, done)
        finally:
            self.image = resize(image, self.content.shape[2:])

    def measure(self):
        """((content, style, variation) of the start, the same of the image), in full size."""
        loss = self._loss(self.content.shape[2:])
        return loss(self.start)[2], loss(self.image)[2]

    def picture(self):
        """The image with the colours that it is to have."""
        if self.photo is None:
            return self.image
        return with_luminance(self.photo, self.image, self.net.meta.channel_order)

    def _loss(self, size):
        """The loss at this size, of photo and paintings as much smaller: image -> (value, dimage, its three parts)."""
        style_weight, variation = self.weights
        share = size[0] / self.content.shape[2]
        paintings = [resize(p, [max(1, round(side * share)) for side in p.shape[2:]]) for p in self.paintings]
        inputs = [UnitBox(self.net, p.shape[1:]).inputs(p) for p in (resize(self.content, size), *paintings)]
        away = StyleLoss(self.several, inputs[0], inputs[1:], self.shares, *self.layers)
        box, scale, pixels = UnitBox(self.net, inputs[0].shape[1:]), contrast(self.net.meta), np.prod(size)

        def loss(image):
            (content, style), dx = away(box.inputs(image), 1.0, style_weight)
            differences, slope = total_variation(image)
            parts = content, style, differences[0] / pixels
            value = content + style_weight * style + variation * parts[2]
            return value, dx * scale + variation / pixels * slope, parts

        return loss


def _coloured(photo, paintings, colours, order):
    """(content, paintings) in the colours that they are compared in."""
    if colours == "matched":
        return photo, [matched(painting, photo) for painting in paintings]
    if colours == "luminance":
        return np.repeat(luminance(photo, order), 3, axis=1), [grey_like(p, photo, order) for p in paintings]
    return photo, paintings
