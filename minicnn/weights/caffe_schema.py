"""The fields of Caffe's messages that matter to a trained net: names, numbers and kinds (BVLC/caffe, caffe.proto).

A kind is int, bool, float or str, an Enum, a Schema for a message, or one of these in a list for a repeated field;
BLOB for an array of weights, IGNORED for what says nothing about what the trained layer computes.
"""

BLOB, IGNORED, VERSION_0 = "blob", "ignored", "version 0"


class Enum:
    """Constants by name and by number."""

    def __init__(self, **numbers):
        self.numbers = numbers
        self.names = {number: name for name, number in numbers.items()}


class Schema:
    """The fields of one message; each is given as name=(number, kind)."""

    def __init__(self, **fields):
        self.by_name = {name: kind for name, (_, kind) in fields.items()}
        self.by_number = {number: (name, kind) for name, (number, kind) in fields.items()}


SHAPE = Schema(dim=(1, [int]))

# Windows: once, once an axis, or by the axis' name.
_WINDOWS_OF_CONVOLUTION = {
    "pad": (3, [int]),
    "kernel_size": (4, [int]),
    "stride": (6, [int]),
    "pad_h": (9, int),
    "pad_w": (10, int),
    "kernel_h": (11, int),
    "kernel_w": (12, int),
    "stride_h": (13, int),
    "stride_w": (14, int),
}
_WINDOWS_OF_POOLING = {
    "kernel_size": (2, [int]),
    "stride": (3, [int]),
    "pad": (4, [int]),
    "kernel_h": (5, int),
    "kernel_w": (6, int),
    "stride_h": (7, int),
    "stride_w": (8, int),
    "pad_h": (9, int),
    "pad_w": (10, int),
}

# What a layer of each type is told: {field: (number in version 1 or None, number in version 2, schema)}.
_PARAMETERS = {
    "concat_param": (9, 104, Schema(concat_dim=(1, int), axis=(2, int))),
    "convolution_param": (
        10,
        106,
        Schema(
            num_output=(1, int),
            bias_term=(2, bool),
            group=(5, int),
            weight_filler=(7, IGNORED),
            bias_filler=(8, IGNORED),
            engine=(15, IGNORED),
            axis=(16, int),
            force_nd_im2col=(17, IGNORED),
            dilation=(18, [int]),
            **_WINDOWS_OF_CONVOLUTION,
        ),
    ),
    "dropout_param": (12, 108, Schema(dropout_ratio=(1, float), scale_train=(2, bool))),
    "eltwise_param": (
        24,
        110,
        Schema(operation=(1, Enum(PROD=0, SUM=1, MAX=2)), coeff=(2, [float]), stable_prod_grad=(3, IGNORED)),
    ),
    "inner_product_param": (
        17,
        117,
        Schema(
            num_output=(1, int),
            bias_term=(2, bool),
            weight_filler=(3, IGNORED),
            bias_filler=(4, IGNORED),
            axis=(5, int),
            transpose=(6, bool),
        ),
    ),
    "lrn_param": (
        18,
        118,
        Schema(
            local_size=(1, int),
            alpha=(2, float),
            beta=(3, float),
            norm_region=(4, Enum(ACROSS_CHANNELS=0, WITHIN_CHANNEL=1)),
            k=(5, float),
            engine=(6, IGNORED),
        ),
    ),
    "pooling_param": (
        19,
        121,
        Schema(
            pool=(1, Enum(MAX=0, AVE=1, STOCHASTIC=2)),
            engine=(11, IGNORED),
            global_pooling=(12, bool),
            round_mode=(13, Enum(CEIL=0, FLOOR=1)),
            **_WINDOWS_OF_POOLING,
        ),
    ),
    "relu_param": (30, 123, Schema(negative_slope=(1, float), engine=(2, IGNORED))),
    "sigmoid_param": (38, 124, Schema(engine=(1, IGNORED))),
    "softmax_param": (39, 125, Schema(engine=(1, IGNORED), axis=(2, int))),
    "tanh_param": (37, 127, Schema(engine=(1, IGNORED))),
    "prelu_param": (None, 131, Schema(filler=(1, IGNORED), channel_shared=(2, bool))),
    "reshape_param": (None, 133, Schema(shape=(1, SHAPE), axis=(2, int), num_axes=(3, int))),
    "flatten_param": (None, 135, Schema(axis=(1, int), end_axis=(2, int))),
    "batch_norm_param": (
        None,
        139,
        Schema(use_global_stats=(1, IGNORED), moving_average_fraction=(2, float), eps=(3, float)),
    ),
    "elu_param": (None, 140, Schema(alpha=(1, float))),
    "bias_param": (None, 141, Schema(axis=(1, int), num_axes=(2, int), filler=(3, IGNORED))),
    "scale_param": (
        None,
        142,
        Schema(axis=(1, int), num_axes=(2, int), filler=(3, IGNORED), bias_term=(4, bool), bias_filler=(5, IGNORED)),
    ),
    # Where images come from. The first four fields of the older ones have moved to transform_param.
    "transform_param": (
        36,
        100,
        Schema(scale=(1, float), crop_size=(3, int), mean_file=(4, str), mean_value=(5, [float])),
    ),
    "data_param": (11, 107, Schema(scale=(2, float), mean_file=(3, str), crop_size=(5, int))),
    "image_data_param": (
        15,
        115,
        Schema(scale=(2, float), mean_file=(3, str), crop_size=(5, int)),
    ),
    "window_data_param": (20, 129, Schema(scale=(2, float), mean_file=(3, str), crop_size=(5, int))),
    "memory_data_param": (22, 119, Schema(batch_size=(1, int), channels=(2, int), height=(3, int), width=(4, int))),
    "dummy_data_param": (
        26,
        109,
        Schema(num=(2, [int]), channels=(3, [int]), height=(4, [int]), width=(5, [int]), shape=(6, [SHAPE])),
    ),
    "input_param": (None, 143, Schema(shape=(1, [SHAPE]))),
}

_RULE = Schema(
    phase=(1, Enum(TRAIN=0, TEST=1)), min_level=(2, int), max_level=(3, int), stage=(4, [str]), not_stage=(5, [str])
)

# Version 1 has types as constants; what they are called in version 2.
V1_TYPES = {
    "NONE": (0, "None"),
    "ACCURACY": (1, "Accuracy"),
    "BNLL": (2, "BNLL"),
    "CONCAT": (3, "Concat"),
    "CONVOLUTION": (4, "Convolution"),
    "DATA": (5, "Data"),
    "DROPOUT": (6, "Dropout"),
    "EUCLIDEAN_LOSS": (7, "EuclideanLoss"),
    "FLATTEN": (8, "Flatten"),
    "HDF5_DATA": (9, "HDF5Data"),
    "HDF5_OUTPUT": (10, "HDF5Output"),
    "IM2COL": (11, "Im2col"),
    "IMAGE_DATA": (12, "ImageData"),
    "INFOGAIN_LOSS": (13, "InfogainLoss"),
    "INNER_PRODUCT": (14, "InnerProduct"),
    "LRN": (15, "LRN"),
    "MULTINOMIAL_LOGISTIC_LOSS": (16, "MultinomialLogisticLoss"),
    "POOLING": (17, "Pooling"),
    "RELU": (18, "ReLU"),
    "SIGMOID": (19, "Sigmoid"),
    "SOFTMAX": (20, "Softmax"),
    "SOFTMAX_LOSS": (21, "SoftmaxWithLoss"),
    "SPLIT": (22, "Split"),
    "TANH": (23, "TanH"),
    "WINDOW_DATA": (24, "WindowData"),
    "ELTWISE": (25, "Eltwise"),
    "POWER": (26, "Power"),
    "SIGMOID_CROSS_ENTROPY_LOSS": (27, "SigmoidCrossEntropyLoss"),
    "HINGE_LOSS": (28, "HingeLoss"),
    "MEMORY_DATA": (29, "MemoryData"),
    "ARGMAX": (30, "ArgMax"),
    "THRESHOLD": (31, "Threshold"),
    "DUMMY_DATA": (32, "DummyData"),
    "SLICE": (33, "Slice"),
    "MVN": (34, "MVN"),
    "ABSVAL": (35, "AbsVal"),
    "SILENCE": (36, "Silence"),
    "CONTRASTIVE_LOSS": (37, "ContrastiveLoss"),
    "EXP": (38, "Exp"),
    "DECONVOLUTION": (39, "Deconvolution"),
}

LAYER_V1 = Schema(
    layer=(1, VERSION_0),
    bottom=(2, [str]),
    top=(3, [str]),
    name=(4, str),
    type=(5, Enum(**{name: number for name, (number, _) in V1_TYPES.items()})),
    blobs=(6, [BLOB]),
    blobs_lr=(7, IGNORED),
    weight_decay=(8, IGNORED),
    include=(32, [_RULE]),
    exclude=(33, [_RULE]),
    loss_weight=(35, IGNORED),
    loss_param=(42, IGNORED),
    param=(1001, IGNORED),
    blob_share_mode=(1002, IGNORED),
    **{name: (v1, schema) for name, (v1, _, schema) in _PARAMETERS.items() if v1 is not None},
)
LAYER_V2 = Schema(
    name=(1, str),
    type=(2, str),
    bottom=(3, [str]),
    top=(4, [str]),
    loss_weight=(5, IGNORED),
    param=(6, IGNORED),
    blobs=(7, [BLOB]),
    include=(8, [_RULE]),
    exclude=(9, [_RULE]),
    phase=(10, IGNORED),
    propagate_down=(11, IGNORED),
    loss_param=(101, IGNORED),
    **{name: (v2, schema) for name, (_, v2, schema) in _PARAMETERS.items()},
)
NET = Schema(
    name=(1, IGNORED),
    layers=(2, [LAYER_V1]),
    input=(3, [str]),
    input_dim=(4, [int]),
    force_backward=(5, IGNORED),
    state=(6, IGNORED),
    debug_info=(7, IGNORED),
    input_shape=(8, [SHAPE]),
    layer=(100, [LAYER_V2]),
)
