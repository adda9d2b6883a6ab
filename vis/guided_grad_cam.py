"""Guided backpropagation where Grad-CAM looks: fine and of one class.

    out = guided_backprop(x) * grad_cam(x), the map enlarged to the image's size

x     (N, C, H, W), preprocessed
out   (N, C, H, W); of no unit: only its pattern means something

The layer of Grad-CAM is chosen as on its page.

The picture: as the gradient's; zero is mid-grey, or white in a net of greys.

Caveat: all that tells classes apart is Grad-CAM's, coarse as it is; the fine pattern inside is that of guided
backpropagation, which shows the image's edges for nearly every class.
Selvaraju, Cogswell, Das, Vedantam, Parikh & Batra, Grad-CAM, ICCV 2017, section 3.2
"""

from .grad_cam import grad_cam
from .gradient import picture
from .guided_backprop import guided_backprop
from .pictures.heat import enlarged

__all__ = ["guided_grad_cam", "picture"]


def guided_grad_cam(net, x, unit, layer: str = ""):
    """Guided backpropagation where Grad-CAM looks, (N, C, H, W).

    layer  the node whose channels Grad-CAM weighs; the last convolutions' output unless given
    """
    where = enlarged(grad_cam(net, x, unit, layer), x.shape[2:])
    return guided_backprop(net, x, unit) * where[:, None]
