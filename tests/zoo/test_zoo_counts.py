"""Parameters, multiply-adds and shapes, against what was published."""

import pytest

from minicnn import zoo

# torchvision's documentation of its weights (num_params, and GFLOPS, which counts multiply-adds), to the last digit.
# googlenet, caffenet, lenet, cifar10_quick: the sizes of the BVLC's files, divided by 4; nin_imagenet: 29 MB.
# cifar_vgg, shapes_vgg: by hand, 9 * (3*32 + 32*64 + ...) and 2 a batch norm's channel and the linear layer.
# zfnet: what Keras counts for such a net with batch norm instead, 62,359,016, less the 4 * (96 + 256) of batch norm.
PARAMETERS = {
    "alexnet": 61_100_840,
    "alexnet_caffe": 60_965_224,
    "caffenet": 60_965_224,
    "cifar10_quick": 145_578,
    "cifar_resnet110": 1_727_962,
    "cifar_resnet20": 269_722,
    "cifar_resnet32": 464_154,
    "cifar_resnet44": 658_586,
    "cifar_resnet56": 853_018,
    "cifar_vgg": 1_194_794,
    "densenet121": 7_978_856,
    "googlenet": 6_998_552,
    "googlenet_bn": 6_624_904,
    "lenet": 431_080,
    "lenet_relu": 431_080,
    "nin_imagenet": 7_595_176,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "shapes_vgg": 126_426,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "zfnet": 62_357_608,
}
GIGA_MULTIPLY_ADDS = {
    "alexnet": 0.714,
    "densenet121": 2.834,
    "googlenet_bn": 1.498,
    "resnet101": 7.801,
    "resnet152": 11.514,
    "resnet18": 1.814,
    "resnet34": 3.664,
    "resnet50": 4.089,
    "squeezenet1_0": 0.819,
    "squeezenet1_1": 0.349,
    "vgg11": 7.609,
    "vgg13": 11.308,
    "vgg16": 15.470,
    "vgg19": 19.632,
}


def summary(name, size=224):
    return zoo.build(name).summary((1, 3, size, size))


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_parameters(name):
    assert zoo.build(name).summary().params == PARAMETERS[name]


def test_every_architecture_is_counted():
    assert set(PARAMETERS) == set(zoo.names())


@pytest.mark.parametrize("name", sorted(GIGA_MULTIPLY_ADDS))
def test_multiply_adds(name):
    assert round(summary(name).macs / 1e9, 3) == GIGA_MULTIPLY_ADDS[name]


def test_multiply_adds_of_vgg16_to_the_last_one():
    assert summary("vgg16").macs == 15_470_264_320


# Szegedy et al., table 1: the output, and millions of multiply-adds. Its parameter column and its 54 for 5a (the
# widths in the same row give 51) do not fit the rest.
TABLE_1 = {
    "inception_3a": ((28, 28, 256), 128),
    "inception_3b": ((28, 28, 480), 304),
    "inception_4a": ((14, 14, 512), 73),
    "inception_4b": ((14, 14, 512), 88),
    "inception_4c": ((14, 14, 512), 100),
    "inception_4d": ((14, 14, 528), 119),
    "inception_4e": ((14, 14, 832), 170),
    "inception_5b": ((7, 7, 1024), 71),
}


@pytest.mark.parametrize("module", TABLE_1)
def test_googlenet_is_table_1_of_its_paper(module):
    rows = [row for row in summary("googlenet").rows if row.name.startswith(module + "/")]
    (H, W, C), millions = TABLE_1[module]
    assert rows[-1].name == f"{module}/output" and rows[-1].shape == (1, C, H, W)
    assert sum(row.macs for row in rows) / 1e6 == pytest.approx(millions, rel=0.01)


SHAPES = {
    ("alexnet", 224): {"conv1": (64, 55, 55), "pool1": (64, 27, 27), "pool2": (192, 13, 13), "pool5": (256, 6, 6)},
    ("alexnet_caffe", 227): {"conv1": (96, 55, 55), "conv2": (256, 27, 27), "pool5": (256, 6, 6), "fc7": (4096,)},
    ("caffenet", 227): {"conv1": (96, 55, 55), "norm1": (96, 27, 27), "pool5": (256, 6, 6), "fc7": (4096,)},
    ("googlenet", 224): {
        "conv1/7x7_s2": (64, 112, 112),
        "pool1/3x3_s2": (64, 56, 56),
        "pool2/3x3_s2": (192, 28, 28),
        "pool5/7x7_s1": (1024, 1, 1),
        "loss3/classifier": (1000,),
    },
    ("googlenet_bn", 224): {
        "conv2/3x3": (192, 56, 56),
        "pool4/2x2_s2": (832, 7, 7),
        "inception_5b/output": (1024, 7, 7),
    },
    # Table 1 of the papers.
    ("resnet34", 224): {"conv1": (64, 112, 112), "res2c": (64, 56, 56), "res4f": (256, 14, 14), "res5c": (512, 7, 7)},
    ("resnet152", 224): {"res2c": (256, 56, 56), "res3b7": (512, 28, 28), "res4b35": (1024, 14, 14)},
    ("densenet121", 224): {"concat_2_6": (256, 56, 56), "conv4_blk": (512, 14, 14), "concat_5_16": (1024, 7, 7)},
    ("cifar_resnet110", 32): {"res2r": (16, 32, 32), "res3r": (32, 16, 16), "res4r": (64, 8, 8)},
    # Table 1 of the paper has the fire modules of 1.0.
    ("squeezenet1_0", 224): {"fire4/concat": (256, 54, 54), "fire8/concat": (512, 27, 27), "conv10": (1000, 13, 13)},
    ("nin_imagenet", 224): {"conv1": (96, 54, 54), "pool2": (256, 13, 13), "cccp8-1024": (1000, 6, 6)},
    ("squeezenet1_1", 227): {"conv1": (64, 113, 113), "fire3/concat": (128, 56, 56), "conv10": (1000, 14, 14)},
    # Figure 3 of the paper.
    ("zfnet", 224): {
        "conv1": (96, 110, 110),
        "norm1": (96, 55, 55),
        "conv2": (256, 26, 26),
        "norm2": (256, 13, 13),
        "conv4": (384, 13, 13),
        "pool5": (256, 6, 6),
    },
    ("vgg16", 224): {"conv1_2": (64, 224, 224), "conv5_3": (512, 14, 14), "pool5": (512, 7, 7), "fc7": (4096,)},
}


@pytest.mark.parametrize("name, size", SHAPES)
def test_shapes(name, size):
    found = {row.name: row.shape[1:] for row in summary(name, size).rows}
    expected = SHAPES[name, size]
    assert {node: found[node] for node in expected} == expected
