"""Nets with batch normalisation once more, as PyTorch modules, from the papers; module names as in the published files.

    twin = resnet(50)
    scores = twin(x, p)

state_dict  has the names of torchvision's nets (0.28.0) or, for CIFAR, of akamaster/pytorch_resnet_cifar10
x           (N, C, H, W) torch tensor
p           twins_nets.Weights: its `gates` say which sides of the kinks to take and its `chosen` is filled, while the
            weights are the modules' own; None for neither
scores      (N, classes), before the softmax
"""

import torch
import torch.nn.functional as F
from torch import nn


class Kink(nn.Module):
    """A ReLU or max-pool that knows the name of its gate."""

    def __init__(self, name):
        super().__init__()
        self.name, self.p = name, None


class Relu(Kink):
    def forward(self, x):
        if self.p is None:
            return x.relu()
        if self.name in self.p.gates:
            return torch.where(self.p.gates[self.name], x, 0)
        self.p.chosen[self.name] = x.detach() > 0
        return x.relu()


class MaxPool(Kink):
    def __init__(self, name, kernel, stride, padding=0, ceil=False):
        super().__init__(name)
        self.geometry = kernel, stride, padding
        self.ceil = ceil

    def forward(self, x):
        kernel, stride, padding = self.geometry
        if self.p is not None and self.name in self.p.gates:
            inside = self.p.gates[self.name]
            tops, lefts = self._corners(inside)
            flat = (tops + inside // kernel) * x.shape[3] + lefts + inside % kernel
            return x.flatten(2).gather(2, flat.flatten(2)).view(inside.shape)
        out, flat = F.max_pool2d(x, kernel, stride, padding, ceil_mode=self.ceil, return_indices=True)
        if self.p is not None:
            tops, lefts = self._corners(out)
            self.p.chosen[self.name] = (flat // x.shape[3] - tops) * kernel + flat % x.shape[3] - lefts
        return out

    def _corners(self, out):
        """The top row and the left column of every window, -padding at the edge."""
        _, stride, padding = self.geometry
        rows, columns = (torch.arange(size) * stride - padding for size in out.shape[2:])
        return rows[:, None], columns


class Twin(nn.Module):
    def forward(self, x, p=None):
        for module in self.modules():
            if isinstance(module, Kink):
                module.p = p
        return self.scores(x)


def conv(channels, width, kernel, stride=1, padding=0):
    return nn.Conv2d(channels, width, kernel, stride, padding, bias=False)


# Residual nets


class Basic(nn.Module):
    def __init__(self, name, channels, width, stride, shortcut):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, width, 3, stride, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, 1, 1), nn.BatchNorm2d(width)
        self.relu1, self.relu2 = Relu(f"bn{name}_branch2a"), Relu(f"res{name}")
        self.downsample = shortcut

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """The stride is in the 3x3 convolution."""

    def __init__(self, name, channels, width, stride, shortcut):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, 1), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.relu1, self.relu2 = Relu(f"bn{name}_branch2a"), Relu(f"bn{name}_branch2b")
        self.relu3 = Relu(f"res{name}")
        self.downsample = shortcut

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu3(y + (x if self.downsample is None else self.downsample(x)))


BLOCKS = {18: "2 2 2 2", 34: "3 4 6 3", 50: "3 4 6 3", 101: "3 4 23 3", 152: "3 8 36 3"}


class resnet(Twin):
    def __init__(self, depth):
        super().__init__()
        self.conv1, self.bn1, self.relu = conv(3, 64, 7, 2, 3), nn.BatchNorm2d(64), Relu("bn_conv1")
        self.maxpool = MaxPool("pool1", 3, 2, 1)
        channels, block, factor = (64, Basic, 1) if depth < 50 else (64, Bottleneck, 4)
        for i, count in enumerate(map(int, BLOCKS[depth].split())):
            width, blocks = 64 * 2**i, []
            for j in range(count):
                letter = "abcdef"[j] if count < 7 and not (depth == 101 and i == 1) else f"b{j}" if j else "a"
                stride, shortcut = 2 if i and not j else 1, None
                if stride > 1 or channels != factor * width:
                    shortcut = nn.Sequential(conv(channels, factor * width, 1, stride), nn.BatchNorm2d(factor * width))
                blocks.append(block(f"{i + 2}{letter}", channels, width, stride, shortcut))
                channels = factor * width
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, 1000)

    def scores(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(dim=(2, 3)))


class Subsample(nn.Module):
    """Option A: every other pixel; as many channels of zeros before as behind."""

    def forward(self, x):
        zeros = torch.zeros_like(x[:, ::2, ::2, ::2])
        return torch.cat([zeros, x[:, :, ::2, ::2], zeros], 1)


class cifar_resnet(Twin):
    def __init__(self, depth):
        super().__init__()
        self.conv1, self.bn1, self.relu = conv(3, 16, 3, 1, 1), nn.BatchNorm2d(16), Relu("bn_conv1")
        n = (depth - 2) // 6
        for i, width in enumerate((16, 32, 64)):
            names = [f"{i + 2}{chr(ord('a') + j)}" for j in range(n)]
            first = (
                Basic(names[0], width, width, 1, None) if i == 0 else Basic(names[0], width // 2, width, 2, Subsample())
            )
            blocks = [first, *(Basic(name, width, width, 1, None) for name in names[1:])]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def scores(self, x):
        x = self.layer3(self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean(dim=(2, 3)))


# DenseNet


class DenseLayer(nn.Module):
    def __init__(self, name, channels):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(channels), conv(channels, 128, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(128), conv(128, 32, 3, 1, 1)
        self.relu1, self.relu2 = Relu(f"conv{name}/x1/bn"), Relu(f"conv{name}/x2/bn")

    def forward(self, x):
        y = self.conv1(self.relu1(self.norm1(x)))
        return torch.cat([x, self.conv2(self.relu2(self.norm2(y)))], 1)


class densenet121(Twin):
    def __init__(self):
        super().__init__()
        parts = {"conv0": conv(3, 64, 7, 2, 3), "norm0": nn.BatchNorm2d(64), "relu0": Relu("conv1/bn")}
        parts["pool0"] = MaxPool("pool1", 3, 2, 1)
        channels = 64
        for i, count in enumerate((6, 12, 24, 16), 1):
            layers = {}
            for j in range(1, count + 1):
                layers[f"denselayer{j}"] = DenseLayer(f"{i + 1}_{j}", channels)
                channels += 32
            parts[f"denseblock{i}"] = named(layers)
            if i < 4:
                norm, relu = nn.BatchNorm2d(channels), Relu(f"conv{i + 1}_blk/bn")
                half = conv(channels, channels // 2, 1)
                parts[f"transition{i}"] = named({"norm": norm, "relu": relu, "conv": half, "pool": nn.AvgPool2d(2)})
                channels //= 2
        parts["norm5"], parts["relu5"] = nn.BatchNorm2d(channels), Relu("conv5_blk/bn")
        self.features = named(parts)
        self.classifier = nn.Linear(channels, 1000)

    def scores(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def named(modules):
    sequence = nn.Sequential()
    for name, module in modules.items():
        sequence.add_module(name, module)
    return sequence


# GoogLeNet with batch normalisation


class ConvNormRelu(nn.Module):
    def __init__(self, name, *shape):
        super().__init__()
        self.conv, self.bn = conv(*shape), nn.BatchNorm2d(shape[1], eps=1e-3)
        self.relu = Relu(f"{name}/bn")

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, name, channels, one, reduce3, three, reduce5, five, projection):
        super().__init__()

        def part(which, *shape):
            return ConvNormRelu(f"{name}/{which}", *shape)

        self.branch1 = part("1x1", channels, one, 1)
        self.branch2 = nn.Sequential(part("3x3_reduce", channels, reduce3, 1), part("3x3", reduce3, three, 3, 1, 1))
        self.branch3 = nn.Sequential(part("5x5_reduce", channels, reduce5, 1), part("5x5", reduce5, five, 3, 1, 1))
        self.branch4 = nn.Sequential(MaxPool(f"{name}/pool", 3, 1, 1, True), part("pool_proj", channels, projection, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


INCEPTIONS = """
3a 192 64 96 128 16 32 32
3b 256 128 128 192 32 96 64
4a 480 192 96 208 16 48 64
4b 512 160 112 224 24 64 64
4c 512 128 128 256 24 64 64
4d 512 112 144 288 32 64 64
4e 528 256 160 320 32 128 128
5a 832 256 160 320 32 128 128
5b 832 384 192 384 48 128 128
"""


class googlenet_bn(Twin):
    def __init__(self):
        super().__init__()
        self.conv1 = ConvNormRelu("conv1/7x7_s2", 3, 64, 7, 2, 3)
        self.conv2 = ConvNormRelu("conv2/3x3_reduce", 64, 64, 1)
        self.conv3 = ConvNormRelu("conv2/3x3", 64, 192, 3, 1, 1)
        for line in INCEPTIONS.split("\n")[1:-1]:
            name, *sizes = line.split()
            self.add_module(f"inception{name}", Inception(f"inception_{name}", *map(int, sizes)))
        self.fc = nn.Linear(1024, 1000)
        self.pool1, self.pool2, self.pool3 = (MaxPool(f"pool{i}/3x3_s2", 3, 2, 0, True) for i in (1, 2, 3))
        self.pool4 = MaxPool("pool4/2x2_s2", 2, 2, 0, True)

    def scores(self, x):
        x = self.pool1(self.conv1(x))
        x = self.pool2(self.conv3(self.conv2(x)))
        x = self.pool3(self.inception3b(self.inception3a(x)))
        for which in "abcde":
            x = self.get_submodule(f"inception4{which}")(x)
        x = self.inception5b(self.inception5a(self.pool4(x)))
        return self.fc(x.mean(dim=(2, 3)))


def make(name):
    """The twin of a net of the zoo, by its name there."""
    if name.startswith(("resnet", "cifar_resnet")):
        kind, depth = name.split("resnet")
        return (cifar_resnet if kind else resnet)(int(depth))
    return {"densenet121": densenet121, "googlenet_bn": googlenet_bn}[name]()


@torch.no_grad()
def randomise(twin, size, seed):
    """Random scales, shifts and running statistics; the latter near those of random images, or deep nets would die."""
    torch.manual_seed(seed)
    norms = [module for module in twin.modules() if isinstance(module, nn.BatchNorm2d)]
    for parameter in twin.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
    for norm in norms:
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_(0, 0.2)
        norm.momentum = None  # the statistics of all batches that it saw: of one
    twin.train()(torch.randn(4, 3, size, size))
    for norm in norms:
        norm.running_mean += 0.1 * norm.running_var.sqrt() * torch.randn(len(norm.bias))
        norm.running_var *= 0.8 + 0.4 * torch.rand(len(norm.bias))
    return twin.eval().requires_grad_(False)
