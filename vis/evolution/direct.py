"""Pictures that are evolved pixel by pixel: the genome is the picture.

At first every number is uniform in 0..255. A child has each number changed with the probability 0.1, which is halved
every 1000 generations, by polynomial mutation.
Nguyen, Yosinski & Clune, Deep Neural Networks are Easily Fooled, CVPR 2015, section 2.3 (direct encoding)
"""

from .mutation import polynomial

RATE, HALVED_EVERY = 0.1, 1000


class Direct:
    """Genomes (C, H, W) uint8.

    shape  (C, H, W)
    """

    def __init__(self, shape):
        self.shape = tuple(shape)

    def random(self, rng):
        return rng.integers(0, 256, self.shape).astype("uint8")

    def mutate(self, genome, rng, generation):
        rate = RATE * 0.5 ** (generation // HALVED_EVERY)
        return polynomial(genome, rng, rate, 0, 255).round().astype("uint8")

    def picture(self, genome):
        """(C, H, W) uint8; three channels are RGB."""
        return genome
