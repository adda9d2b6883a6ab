"""A Net computed by PyTorch: the same graph over the same arrays, every layer a call of torch.nn.functional."""

import warnings

import torch
import torch.nn.functional as F

from minicnn import layers


class TorchNet:
    """The nodes of `net` as PyTorch calls; the parameters are the net's own memory, not copies, but on a card."""

    def __init__(self, net, device="cpu"):
        self.net = net
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of a frozen net's read-only memory; nothing writes to it
            self.params = {key: torch.from_numpy(value).to(device) for key, value in net.state_dict().items()}

    def forward(self, x, train=False):
        """x (N, C, H, W), a tensor; the scores, before the softmax. With train, batch norm is training."""
        outs = {self.net.input: x}
        for node in self.net.nodes:
            names = (*node.layer.param_shapes, *node.layer.buffer_shapes)
            own = {name: self.params[f"{node.name}.{name}"] for name in names} | {"train": train}
            outs[node.name] = _CALLS[type(node.layer)](node.layer, own, *(outs[name] for name in node.inputs))
            if node.name == self.net.scores:
                return outs[node.name]

    def image_gradient(self, x, dout):
        """(scores, dx) as tensors, from tensors: dout is the gradient of the scores."""
        x = x.detach().requires_grad_()
        scores = self.forward(x)
        return scores.detach(), torch.autograd.grad(scores, x, dout)[0]

    def training_step(self, x, labels):
        """(scores, all gradients of the mean cross entropy, side by side in the order of their names) as tensors."""
        names = sorted(f"{name}.{key}" for name, layer in self.net.layers().items() for key in layer.param_shapes)
        params = [self.params[name].requires_grad_() for name in names]
        scores = self.forward(x, train=True)
        grads = torch.autograd.grad(F.cross_entropy(scores, labels), params)
        return scores.detach(), torch.cat([grad.reshape(-1) for grad in grads])


def _conv2d(layer, own, x):
    top, bottom, left, right = layer.pad
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, own["w"], own.get("b"), layer.stride, (top, left), layer.dilation, layer.groups)


def _max_pool2d(layer, own, x):
    pad = (layer.pad[0], layer.pad[2])
    return F.max_pool2d(x, layer.kernel, layer.stride, pad, layer.dilation, layer.ceil_mode)


def _avg_pool2d(layer, own, x):
    pad = (layer.pad[0], layer.pad[2])
    return F.avg_pool2d(x, layer.kernel, layer.stride, pad, layer.ceil_mode, layer.count_include_pad)


def _batch_norm2d(layer, own, x):
    # In training without the running statistics: they are our net's memory, and it moves them itself.
    running = (None, None) if own["train"] else (own["running_mean"], own["running_var"])
    return F.batch_norm(x, *running, own["w"], own["b"], own["train"], eps=layer.eps)


_CALLS = {
    layers.Conv2d: _conv2d,
    layers.MaxPool2d: _max_pool2d,
    layers.AvgPool2d: _avg_pool2d,
    layers.BatchNorm2d: _batch_norm2d,
    layers.Linear: lambda layer, own, x: F.linear(x, own["w"], own.get("b")),
    # In place, as torchvision's nets do: it saves PyTorch time and memory.
    layers.ReLU: lambda layer, own, x: F.relu(x, inplace=True),
    layers.LRN: lambda layer, own, x: F.local_response_norm(x, layer.size, layer.alpha, layer.beta, layer.k),
    layers.GlobalAvgPool: lambda layer, own, x: x.mean((2, 3), keepdim=True),
    layers.Dropout: lambda layer, own, x: x,  # in evaluation
    layers.Identity: lambda layer, own, x: x,
    layers.Flatten: lambda layer, own, x: x.flatten(1),
    layers.Concat: lambda layer, own, *xs: torch.cat(xs, 1),
    layers.Add: lambda layer, own, *xs: sum(xs),
    layers.Softmax: lambda layer, own, x: F.softmax(x, 1),
}
