"""Every type of Caffe's layers that becomes one of ours, beside its definition."""

import numpy as np
import pytest
from caffe_cases import CASES, IMAGE, STATISTICS, build, draw, one
from net_files import V1_TYPES


def is_in_version_1(layer):
    return layer["type"] in V1_TYPES and "flatten_param" not in layer


@pytest.mark.parametrize("form", ["caffemodel", "prototxt", "version 1"])
@pytest.mark.parametrize("case", CASES)
def test_what_it_computes(case, form, tmp_path):
    layers, shape, expected = CASES[case]
    if form == "version 1" and not all(map(is_in_version_1, layers)):
        pytest.skip("version 1 has no such layer")
    net = build(tmp_path, layers, form, input="data", input_dim=shape)
    x = draw(*shape, seed=3)
    out = net(x)
    right = expected(x.astype(np.float64))
    assert out.shape == right.shape and net.nodes[-1].name in ("out", "bn")
    np.testing.assert_allclose(out, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_both_forms_are_one_net(case, tmp_path):
    layers, shape, _ = CASES[case]
    one, other = (build(tmp_path, layers, form, input="data", input_dim=shape) for form in ("caffemodel", "prototxt"))
    assert [(n.name, repr(n.layer), n.layer.config, n.inputs) for n in one.nodes] == [
        (n.name, repr(n.layer), n.layer.config, n.inputs) for n in other.nodes
    ]
    assert one.state_dict().keys() == other.state_dict().keys()
    for key, array in one.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[key])


def test_the_nodes_are_what_a_reader_expects(tmp_path):
    def types(case):
        net = build(tmp_path, CASES[case][0], input="data", input_dim=CASES[case][1])
        return [(node.name, type(node.layer).__name__) for node in net.nodes]

    assert types("inner product") == [("data/flatten", "Flatten"), ("out", "Linear")]
    assert types("two inner products") == [("data/flatten", "Flatten"), ("a", "Linear"), ("out", "Linear")]
    assert types("leaky relu") == [("out", "LeakyReLU")]
    assert types("dropout") == [("out", "Dropout")]
    assert types("sum") == [("a", "ReLU"), ("out", "Add")]
    assert types("difference") == [("a", "ReLU"), ("out", "Subtract")]
    assert types("batch norm and scale") == [("bn", "BatchNorm2d")]
    assert types("global average") == [("out", "GlobalAvgPool")]
    assert types("scale") == [
        ("out/gamma", "Constant"),
        ("out/scaled", "Multiply"),
        ("out/beta", "Constant"),
        ("out", "Add"),
    ]
    net = build(tmp_path, one("BatchNorm", STATISTICS), input="data", input_dim=IMAGE)
    assert net["out"].layer.eps == 1e-5 and net["out"].layer.momentum == 0.001
    net = build(tmp_path, one("LRN", lrn_param={"alpha": 0.0001}), input="data", input_dim=IMAGE)
    assert net["out"].layer.alpha == 0.0001  # and not the float32 next to it
