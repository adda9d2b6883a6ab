"""Another net made of a net: cut off, with another head, slid over larger images, without batch norm."""

from collections import Counter
from dataclasses import replace

from . import kernels
from .convolutional import convolutional_nodes
from .device import computing
from .errors import UsageError
from .kernels.errors import ShapeError
from .kernels.shapes import check_same
from .layers import BatchNorm2d, Conv2d, Linear
from .layers.checks import check_sizes


class TransformMixin:
    """The part of `Net` that makes other nets of it; the net itself never changes.

    The new net has the backend, the dtype and the preprocessing of this one. Where nothing else is said it has the same
    layers, not copies: what trains the one trains the other, and where this one is frozen, so is the new one.
    """

    def upto(self, layer):
        """The net that ends at the node `layer`: the nodes that it depends on.

        Class names are dropped, unless the scores are among these nodes: they name nothing else.
        Raises UnknownNameError that suggests the nearest names.
        """
        needed = self._ancestors(self[layer].name)
        meta = self.meta
        if meta and self.scores not in needed:
            meta = replace(meta, classes=())
        return self._made_of([node for node in self.nodes if node.name in needed], meta)

    def replace_head(self, classes, seed=0):
        """The net with other classes, to be trained: its last layer with parameters is drawn anew, and keeps its name.

        That is the Linear, or the 1x1 convolution without groups, that the scores come from. All other arrays are
        copies, and can be written even if this net is frozen.

        classes  how many, or a list of their names, which go to meta
        seed     of the new layer's weights: He's normal; its biases are zero
        Raises UsageError if the scores come from another layer, or if another node shares it.
        """
        count, names = _classes(classes)
        if names and self.meta is None:
            raise UsageError("this net has no meta that could hold the names of classes: say how many there are")
        head = self._head()
        size = "out_features" if isinstance(head.layer, Linear) else "out_channels"
        fresh = type(head.layer)(**{**head.layer.config, size: count}).init(seed)
        self._convert(fresh, lambda a: self._device().to_device(a.astype(self.dtype)))
        other = self.thaw()
        nodes = [node._replace(layer=fresh) if node.name == head.name else node for node in other.nodes]
        return other._made_of(nodes, self.meta and replace(self.meta, classes=names))

    def convolutional(self, input_size=None):
        """The net with convolutions in place of its linear layers: it takes images of any size from input_size on.

            fc6: w (F, C*H*W), which reads a map (C, H, W)  ->  w (F, C, H, W), which slides over larger maps

        The nodes keep their names, and those that only flatten disappear. The scores become maps (N, F, OH, OW): of one
        position for an image of input_size, of 6x6 for VGG on 384x384 pixels; each is what the net says of the part of
        the image that it lies over (where no padding meets the part's edge). Pools with a window of their own stay as
        they are, global ones see all of an image. The weights are views of this net's.

        input_size  (C, H, W) that the linear layers were made for; meta's unless given
        Raises UsageError where a vector is not a whole map, flattened, or where a layer between two linear ones does
        not do to maps what it does to vectors.
        Long, Shelhamer & Darrell, CVPR 2015, section 3.1
        """
        if input_size is None:
            if self.meta is None:
                raise ShapeError("convolutional needs input_size (C, H, W): this net does not say which size it takes")
            input_size = self.meta.input_size
        with computing(self):
            return self._made_of(convolutional_nodes(self, input_size), self.meta)

    def fold_batchnorm(self):
        """The net with each batch norm, as it is in evaluation, inside the layer before it.

            s = gamma * (running_var + eps)^-0.5:   w' = s * w,   b' = s * (b - running_mean) + beta

        Done where a BatchNorm2d reads a Conv2d or a Linear that nothing else reads; its node disappears, and the
        convolution, which gets a bias, gives its output. Others stay. Computed in float64, then rounded to the net's
        dtype. A layer used twice is folded for each use by itself; weights that are folded are new arrays.
        The new net is for evaluation, and for training as it is: batch statistics are gone.
        """
        readers = Counter(name for node in self.nodes for name in node.inputs)
        nodes, instead, folded = {}, {}, {}
        for node in self.nodes:
            inputs = tuple(instead.get(name, name) for name in node.inputs)
            before = nodes.get(inputs[0]) if inputs else None
            if _can_fold(node, before) and readers[node.inputs[0]] == 1:
                pair = before.layer, node.layer
                if pair not in folded:
                    folded[pair] = self._fold(*pair)
                nodes[before.name] = before._replace(layer=folded[pair])
                instead[node.name] = before.name
            else:
                nodes[node.name] = node._replace(inputs=inputs)
        return self._made_of(nodes.values(), self.meta)

    def _made_of(self, nodes, meta):
        net = type(self)(nodes, self.input, meta)
        net.dtype, net.backend = self.dtype, self.backend
        return net.freeze() if self.frozen else net

    def _device(self):
        return kernels.get(self.backend or "numpy")

    def _head(self):
        """The node whose layer makes the scores: the last one with parameters."""
        node = self[self.scores]
        while not node.layer.param_shapes and len(node.inputs) == 1 and node.inputs[0] != self.input:
            node = self[node.inputs[0]]
        layer = node.layer
        is_one_by_one = isinstance(layer, Conv2d) and layer.kernel == (1, 1) and layer.groups == 1
        if not is_one_by_one and not isinstance(layer, Linear):
            raise UsageError(f"the scores come from {node.name}, {layer!r}: a Linear or a 1x1 Conv2d could be replaced")
        if sum(other.layer is layer for other in self.nodes) > 1:
            raise UsageError(f"{node.name}: another node shares its layer, {layer!r}: it cannot be replaced here alone")
        return node

    def _fold(self, layer, norm):
        host, device = self._device().to_host, self._device().to_device
        gamma, beta, mean, var = (
            host(norm.array(key)).astype("float64") for key in ("w", "b", "running_mean", "running_var")
        )
        w = host(layer.array("w")).astype("float64")
        b = host(layer.array("b")).astype("float64") if "b" in layer.param_shapes else 0.0
        check_same("a batch norm's parameters", gamma.shape, "the biases of the layer before it", w.shape[:1])
        scale = gamma * (var + norm.eps) ** -0.5
        folded = type(layer)(**{**layer.config, "bias": True})
        arrays = {"w": w * scale.reshape(-1, *[1] * (w.ndim - 1)), "b": (b - mean) * scale + beta}
        folded.params = {key: device(a.astype(self.dtype)) for key, a in arrays.items()}
        return folded


def _can_fold(node, before):
    return isinstance(node.layer, BatchNorm2d) and before is not None and isinstance(before.layer, (Conv2d, Linear))


def _classes(classes):
    """(how many, their names or ())."""
    if isinstance(classes, (list, tuple)):
        if not classes or not all(isinstance(name, str) for name in classes):
            raise UsageError(f"classes are a number or a list of names, not {classes!r:.80}")
        return len(classes), tuple(classes)
    check_sizes(classes=classes)
    return int(classes), ()
