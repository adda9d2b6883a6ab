"""What each pixel's part in the score is: the score shared out, layer by layer (LRP).

    R at the unit = its value;   R_i = sum over the j that read i of  share_ij * R_j      down to the image

x        (N, C, H, W), preprocessed
pixels   (N, C, H, W), in units of the score
arrived  {node: (N,)}, the sum of R over the node's output; sent the same of what it gave to its inputs
kept     {node: (N,)}, sent / arrived: what a rule or a bias has lost or added

The rules of share_ij stand in lrp_rules.py and share_rules.py, which layer gets which one in composites.py:

    epsilon                  the contribution, damped where it is small. Nearly gradient times input, and as noisy
    gamma                    contributions that pull the way the output went count more
    alpha-beta, z-plus       positive and negative contributions apart; the positive ones alone
    epsilon-plus             epsilon in linear layers, z-plus in convolutions
    epsilon-plus-flat        the same, and flat in the first layer                        Kohlbrenner et al.
    epsilon-alpha-beta-flat  the same with alpha-beta in convolutions                     Kohlbrenner et al.
    epsilon-gamma-box        epsilon, then gamma, and z-box on the pixels: the default    Montavon et al.

epsilon is in units of the root mean square of a layer's outputs, 0.25 as in Montavon et al., gamma 0.25 too; alpha is
2, as in Bach et al. Batch norms are folded into the convolution before them. Without biases, gamma, z-plus, flat and
z-box keep all of the score at every layer, and so does epsilon as it goes to 0; only where a rule finds nobody to share
with, something is lost. The sum over the pixels is the score times what all layers kept together.

Rules of your own are given by node name, by layer type or by a predicate of the node, as everywhere:

    lrp(net, x, "zebra", rules={"conv2/3x3": lrp_flat, Conv2d: partial(lrp_alpha_beta, alpha=1.5)})

The picture: the image, and beside it the sum over the channels: red speaks for the unit, blue against it, white is
zero; the scale ends at the 99.5 % quantile. Another picture for each image has a bar for every node that kept less or
more than all: its length is the share that arrived, of the score; dark is what was sent on, light what was lost, red
what was added.

Caveat: another rule makes another picture, and no measurement says which is right. z-plus and flat leave out what
speaks against a class; the deeper they run, the more alike the pictures of all classes (Sixt, Granz & Landgraf, When
explanations lie, ICML 2020). The shares are of this image's activations: it is no slope, and nothing about a change.
Bach et al., PLoS ONE 10(7), 2015; Montavon et al., in: Explainable AI, Springer 2019; Kohlbrenner et al., IJCNN 2020
"""

from ..errors import UsageError
from .passes import look
from .pictures.heat import signed_picture
from .pictures.kept_picture import kept_picture
from .shares.relevance import share, without_batch_norm
from .units import find_unit, unit_title


def lrp(
    net,
    x,
    unit,
    composite: str = "epsilon-gamma-box",
    epsilon: float = 0.25,
    gamma: float = 0.25,
    alpha: float = 2.0,
    smooth_pools: bool = False,
    rules=None,
):
    """What each pixel's part in the unit's value is, and what each node kept of it: a `relevance.Relevance`.

    composite     which rule each layer gets: one of the names above
    epsilon       of the epsilon rule, >= 0
    gamma         of the gamma rule, >= 0
    alpha         of the alpha-beta rule, >= 1; beta is alpha - 1
    smooth_pools  max pools share among the window, instead of giving all to the largest
    rules         your own, which beat the composite's: {"conv1": rule, ReLU: rule}, rule(R, cache) -> R of the inputs
    """
    if not (0 <= epsilon < float("inf") and 0 <= gamma < float("inf") and 1 <= alpha < float("inf")):
        raise UsageError(f"epsilon is {epsilon}, gamma {gamma}, alpha {alpha}: expected >= 0, >= 0 and >= 1")
    part, unit = without_batch_norm(net, unit)
    tape, dout = look(part, x, unit)
    parameters = {"epsilon": epsilon, "gamma": gamma, "alpha": alpha, "smooth_pools": smooth_pools}
    return share(part, tape, dout, composite, own=rules, **parameters)


def picture(result, net, x=None, unit=None):
    """The images with their relevance, and for each what each node kept."""
    title = unit_title(net, find_unit(net, unit))
    pictures = [("pixels", signed_picture(result.pixels.sum(axis=1), net, x, title))]
    if len(result.pixels) == 1:
        return [*pictures, ("kept", kept_picture(result, 0, title))]
    numbers = range(len(result.pixels))
    return pictures + [(f"kept-{n + 1}", kept_picture(result, n, f"{title}, image {n + 1}")) for n in numbers]
