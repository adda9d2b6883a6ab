"""The zoo's nets once more, in PyTorch's functions, from the papers and Caffe's prototxt files.

    scores = googlenet(x, p)

x       (N, C, H, W) torch tensor
p       Weights: {"conv1.w": tensor, ...}, the keys of state_dict
scores  (N, classes), before the softmax

Where a value lies within rounding of a kink (a ReLU's zero, a tie in a max-pool), two right programs may choose
different sides, and their gradients then differ by more than rounding. `Weights.gates` makes a twin take given sides,
so that everything else can be compared tightly; `Weights.chosen` is what it chose by itself.
"""

import torch
import torch.nn.functional as F


class Weights(dict):
    """The arrays of a net as torch tensors in the same memory.

    gates   {name: which side to take}: of a ReLU, by the name of what it reads, a bool tensor, x > 0; of a max-pool
            the index i*KW + j inside each window; of a ReLU that reads a max-pool, by its own name
    chosen  the same, filled by a forward pass
    """

    def __init__(self, net, gates=()):
        self.gates, self.chosen = dict(gates), {}
        for name, layer in net.layers().items():
            self.update({f"{name}.{key}": torch.from_numpy(a) for key, a in layer.params.items()})


def scores_and_gradient(twin, x, p, dscores):
    """(scores, the image gradient of sum(scores * dscores)), by PyTorch's differentiator: NumPy in, NumPy out."""
    image = torch.from_numpy(x).requires_grad_()
    scores = twin(image, p)
    scores.backward(torch.from_numpy(dscores))
    return scores.detach().numpy(), image.grad.numpy()


def lenet(x, p):
    x = _pool(_conv(x, p, "conv1"), p, "pool1", 2, 2)
    x = _pool(_conv(x, p, "conv2"), p, "pool2", 2, 2)
    return _linear(_linear_relu(x.flatten(1), p, "ip1"), p, "ip2")


def lenet_relu(x, p):
    x = _pool(_conv_relu(x, p, "conv1"), p, "pool1", 2, 2)
    x = _pool(_conv_relu(x, p, "conv2"), p, "pool2", 2, 2)
    return _linear(_linear_relu(x.flatten(1), p, "ip1"), p, "ip2")


def alexnet(x, p):
    x = _pool(_conv_relu(x, p, "conv1", stride=4, padding=2), p, "pool1", 3, 2)
    x = _pool(_conv_relu(x, p, "conv2", padding=2), p, "pool2", 3, 2)
    for name in ("conv3", "conv4", "conv5"):
        x = _conv_relu(x, p, name, padding=1)
    return _three_linear(_pool(x, p, "pool5", 3, 2), p)


def alexnet_caffe(x, p):
    x = _pool(_lrn(_conv_relu(x, p, "conv1", stride=4)), p, "pool1", 3, 2)
    x = _pool(_lrn(_conv_relu(x, p, "conv2", padding=2, groups=2)), p, "pool2", 3, 2)
    return _alexnet_caffe_top(x, p)


def caffenet(x, p):
    x = _lrn(_pool(_conv_relu(x, p, "conv1", stride=4), p, "pool1", 3, 2))
    x = _lrn(_pool(_conv_relu(x, p, "conv2", padding=2, groups=2), p, "pool2", 3, 2))
    return _alexnet_caffe_top(x, p)


def _alexnet_caffe_top(x, p):
    x = _conv_relu(x, p, "conv3", padding=1)
    x = _conv_relu(x, p, "conv4", padding=1, groups=2)
    x = _conv_relu(x, p, "conv5", padding=1, groups=2)
    return _three_linear(_pool(x, p, "pool5", 3, 2), p)


def cifar10_quick(x, p):
    x = _relu(_pool(_conv(x, p, "conv1", padding=2), p, "pool1", 3, 2), p, "relu1")
    x = _caffe_mean(_conv_relu(x, p, "conv2", padding=2), 3, 2)
    x = _caffe_mean(_conv_relu(x, p, "conv3", padding=2), 3, 2)
    return _linear(_linear(x.flatten(1), p, "ip1"), p, "ip2")


def zfnet(x, p):
    x = _lrn(_pool(_conv_relu(x, p, "conv1", stride=2, padding=1), p, "pool1", 3, 2))
    x = _lrn(_pool(_conv_relu(x, p, "conv2", stride=2), p, "pool2", 3, 2))
    for name in ("conv3", "conv4", "conv5"):
        x = _conv_relu(x, p, name, padding=1)
    return _three_linear(_pool(x, p, "pool5", 3, 2), p)


def nin_imagenet(x, p):
    x = _conv_relu(_conv_relu(_conv_relu(x, p, "conv1", stride=4), p, "cccp1"), p, "cccp2")
    x = _conv_relu(_pool(x, p, "pool0", 3, 2), p, "conv2", padding=2)
    x = _pool(_conv_relu(_conv_relu(x, p, "cccp3"), p, "cccp4"), p, "pool2", 3, 2)
    x = _conv_relu(_conv_relu(_conv_relu(x, p, "conv3", padding=1), p, "cccp5"), p, "cccp6")
    x = _conv_relu(_pool(x, p, "pool3", 3, 2), p, "conv4-1024", padding=1)
    return _conv_relu(_conv_relu(x, p, "cccp7-1024"), p, "cccp8-1024").mean(dim=(2, 3))


def squeezenet1_0(x, p):
    x = _pool(_conv_relu(x, p, "conv1", stride=2), p, "pool1", 3, 2)
    x = _pool(_fires(x, p, 2, 3, 4), p, "pool4", 3, 2)
    x = _pool(_fires(x, p, 5, 6, 7, 8), p, "pool8", 3, 2)
    return _conv_relu(_fires(x, p, 9), p, "conv10").mean(dim=(2, 3))


def squeezenet1_1(x, p):
    x = _pool(_conv_relu(x, p, "conv1", stride=2), p, "pool1", 3, 2)
    x = _pool(_fires(x, p, 2, 3), p, "pool3", 3, 2)
    x = _pool(_fires(x, p, 4, 5), p, "pool5", 3, 2)
    return _conv_relu(_fires(x, p, 6, 7, 8, 9), p, "conv10").mean(dim=(2, 3))


def _fires(x, p, *numbers):
    for i in numbers:
        x = _conv_relu(x, p, f"fire{i}/squeeze1x1")
        halves = _conv_relu(x, p, f"fire{i}/expand1x1"), _conv_relu(x, p, f"fire{i}/expand3x3", padding=1)
        x = torch.cat(halves, 1)
    return x


def googlenet(x, p):
    x = _lrn(_pool(_conv_relu(x, p, "conv1/7x7_s2", stride=2, padding=3), p, "pool1/3x3_s2", 3, 2))
    x = _conv_relu(x, p, "conv2/3x3_reduce")
    x = _pool(_lrn(_conv_relu(x, p, "conv2/3x3", padding=1)), p, "pool2/3x3_s2", 3, 2)
    x = _pool(_inceptions(x, p, "3a", "3b"), p, "pool3/3x3_s2", 3, 2)
    x = _pool(_inceptions(x, p, "4a", "4b", "4c", "4d", "4e"), p, "pool4/3x3_s2", 3, 2)
    x = _inceptions(x, p, "5a", "5b")
    return _linear(F.avg_pool2d(x, 7).flatten(1), p, "loss3/classifier")


def _inceptions(x, p, *names):
    for name in names:
        name = f"inception_{name}"
        three = _conv_relu(x, p, f"{name}/3x3_reduce")
        five = _conv_relu(x, p, f"{name}/5x5_reduce")
        branches = [
            _conv_relu(x, p, f"{name}/1x1"),
            _conv_relu(three, p, f"{name}/3x3", padding=1),
            _conv_relu(five, p, f"{name}/5x5", padding=2),
            _conv_relu(_pool(x, p, f"{name}/pool", 3, 1, padding=1), p, f"{name}/pool_proj"),
        ]
        x = torch.cat(branches, 1)
    return x


_VGG = {
    "vgg11": "1 / 1 / 12 / 12 / 12",
    "vgg13": "12 / 12 / 12 / 12 / 12",
    "vgg16": "12 / 12 / 123 / 123 / 123",
    "vgg19": "12 / 12 / 1234 / 1234 / 1234",
}


def vgg_features(name, x, p):
    """pool5 of one of the four."""
    for block, convs in enumerate(_VGG[name].split(" / "), 1):
        for i in convs:
            x = _conv_relu(x, p, f"conv{block}_{i}", padding=1)
        x = _pool(x, p, f"pool{block}", 2, 2)
    return x


def vgg16(x, p):
    return _three_linear(vgg_features("vgg16", x, p), p)


def _three_linear(x, p):
    return _linear(_linear_relu(_linear_relu(x.flatten(1), p, "fc6"), p, "fc7"), p, "fc8")


def _conv(x, p, name, **geometry):
    return F.conv2d(x, p[f"{name}.w"], p[f"{name}.b"], **geometry)


def _conv_relu(x, p, name, **geometry):
    return _relu(_conv(x, p, name, **geometry), p, name)


def _linear(x, p, name):
    return F.linear(x, p[f"{name}.w"], p[f"{name}.b"])


def _linear_relu(x, p, name):
    return _relu(_linear(x, p, name), p, name)


def _relu(x, p, name):
    if name in p.gates:
        return torch.where(p.gates[name], x, 0)
    p.chosen[name] = x.detach() > 0
    return x.relu()


def _pool(x, p, name, kernel, stride, padding=0):
    # Windows that reach past the image hold -inf, which is Caffe's rule: it rounds sizes up.
    sizes = [-(-(n + 2 * padding - kernel) // stride) for n in x.shape[2:]]
    below, right = (m * stride + kernel - n - padding for m, n in zip(sizes, x.shape[2:]))
    padded = F.pad(x, (padding, right, padding, below), value=-torch.inf) if max(padding, right, below) else x
    if name in p.gates:
        windows = padded.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(-2)
        return windows.gather(-1, p.gates[name][..., None])[..., 0]
    out, flat = F.max_pool2d(padded, kernel, stride, return_indices=True)
    rows, columns = flat // padded.shape[3], flat % padded.shape[3]
    tops = torch.arange(out.shape[2])[:, None] * stride
    lefts = torch.arange(out.shape[3]) * stride
    p.chosen[name] = (rows - tops) * kernel + columns - lefts
    return out


def _caffe_mean(x, kernel, stride):
    # Sizes round up; a window that reaches past the image is divided by its part inside.
    return F.avg_pool2d(x, kernel, stride, ceil_mode=True)


def _lrn(x):
    return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)
