"""What a prototxt may say of a Caffe net, and what it may not."""

import pytest
from caffe_small import CONV, INPUT, read_in
from net_files import caffe_model

from minicnn.errors import FormatError, MissingFileError
from minicnn.weights import caffe_graph

BAD_TEXTS = {
    "layer { nome: 'a' type: 'ReLU' }\nfoo: 1": "no net: it has foo",
    "layers { layer { name: 'a' type: 'conv' } }": "layers of version 0",
    "layers { type: CONV }": "line 1: type is 'CONV', expected a type of layer, as CONVOLUTION",
    "layer { type: RELU }": "line 1: type is 'RELU', expected a string",
    "layer {\n name: 'a'\n name: 'b' }": "line 3: name is there twice",
    "layer: 1": "layer is '1', expected a message in braces",
    "input: {}": "input is a message, expected a string",
    "input_dim: 3.5": "input_dim is '3.5', expected an integer",
    "input_dim: 99999999999": "expected an integer",
    "input_dim: 08": "expected an integer",
    "input_dim: true": "expected an integer",
    "layer { pooling_param { pool: MEAN } }": "pool is 'MEAN', expected MAX or AVE or STOCHASTIC",
    "layer { pooling_param { global_pooling: 2 } }": "global_pooling is '2', expected true or false",
    "layer { relu_param { negative_slope: 1x } }": "negative_slope is '1x', expected a number",
}


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_prototxts_that_are_none(tmp_path, text):
    (tmp_path / "net.caffemodel").write_bytes(caffe_model([CONV]))
    (tmp_path / "net.prototxt").write_text(text)
    with pytest.raises(FormatError, match=BAD_TEXTS[text]) as caught:
        caffe_graph.read(tmp_path / "net.caffemodel", tmp_path / "net.prototxt")
    assert caught.value.file == str(tmp_path / "net.prototxt")


def test_the_ways_to_write_a_value(tmp_path):
    (tmp_path / "net.caffemodel").write_bytes(caffe_model([CONV]))
    (tmp_path / "net.prototxt").write_text("""
        input: 'data' input_shape < dim: [0x1, 3, 010, 8] >
        layer { name: "conv" type: "Convolution" bottom: 'data' top: 'conv' convolution_param: {
            num_output: 4; kernel_size: [3], bias_term: t } }
        layer { name: "lrn" type: "LRN" bottom: 'conv' top: 'l' lrn_param { alpha: 1e-4f beta: .5 norm_region: 0 } }
        layer { name: "pool" type: "Pooling" bottom: 'l' top: 'pool' pooling_param { pool: 1 global_pooling: 1 } }
    """)
    graph = caffe_graph.read(tmp_path / "net.caffemodel", tmp_path / "net.prototxt").graph
    lrn, pool = (layer for name, layer, _ in graph.nodes if name in ("lrn", "pool"))
    assert graph.input_size == (3, 8, 8) and (lrn.alpha, lrn.beta) == (1e-4, 0.5)
    assert type(pool).__name__ == "GlobalAvgPool"


def test_missing_files(tmp_path):
    read_in(tmp_path, [CONV], **INPUT)
    with pytest.raises(MissingFileError, match=r"none\.prototxt: no such file"):
        caffe_graph.read(tmp_path / "net.caffemodel", tmp_path / "none.prototxt")
    with pytest.raises(MissingFileError, match=r"none\.caffemodel: no such file"):
        caffe_graph.read(tmp_path / "none.caffemodel")
