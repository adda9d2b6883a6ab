"""Style transfer: its terms against loops and central differences, its layers, its colours, and what it promises."""

import sys

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import UnknownNameError, UsageError
from minicnn.extras import MissingExtraError
from minicnn.layers import Conv2d, MaxPool2d, ReLU, Tanh
from minicnn.meta import Meta
from minicnn.vis import METHODS, style
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.search.pyramid import resize
from minicnn.vis.search.several import Several
from minicnn.vis.search.style_colours import grey_like, luminance, matched, with_luminance
from minicnn.vis.search.style_layers import average_pooled, default_content, default_style, parse_layers
from minicnn.vis.search.style_loss import StyleLoss, content_term, gram, style_term

META = Meta("none", (3, 32, 32), "BGR", 255.0, (100.0, 110.0, 120.0), (1.0, 1.0, 1.0), "squash", 32)
MEAN = np.reshape(META.mean, (1, 3, 1, 1))
TWO = {"content_layers": "relu2", "style_layers": "relu1,relu2"}


def _net(dtype="float64", activation=ReLU):
    nodes = [
        ("conv1", Conv2d(3, 6, 3, pad=1)),
        ("relu1", activation()),
        ("pool1", MaxPool2d(2)),
        ("conv2", Conv2d(6, 8, 3, pad=1)),
        ("relu2", activation()),
    ]
    return Net(nodes, meta=META).init(0).astype(dtype)


def _image(H=24, W=20, N=1, seed=0):
    coarse = np.random.default_rng(seed).uniform(20, 235, (N, 3, 5, 5))
    return resize(coarse, (H, W)) - MEAN


def _stripes(H=22, W=26):
    y, x = np.mgrid[:H, :W]
    wave = np.sin(1.3 * x + 0.8 * y)
    return np.stack([128 + 90 * wave, 128 - 60 * wave, 100 + 50 * np.cos(y)])[None] - MEAN


# The terms -----------------------------------------------------------------------------------------------------------


def _central(function, F, step=1e-5):
    slope = np.zeros_like(F)
    for i in np.ndindex(F.shape):
        moved = np.zeros_like(F)
        moved[i] = step
        slope[i] = (function(F + moved) - function(F - moved)) / (2 * step)
    return slope


def test_the_style_term_is_the_papers():
    rng = np.random.default_rng(0)
    F, P = rng.standard_normal((2, 4, 3, 5))
    C, M = 4, 15
    G, A = (
        [[sum(a[i, y, x] * a[j, y, x] for y in range(3) for x in range(5)) for j in range(C)] for i in range(C)]
        for a in (F, P)
    )
    expected = sum((G[i][j] - A[i][j]) ** 2 for i in range(C) for j in range(C)) / (4 * C**2 * M**2)
    value, slope = style_term(F, gram(P))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, _central(lambda F: style_term(F, gram(P))[0], F), rtol=1e-6, atol=1e-10)


def test_a_texture_has_the_same_gram_matrix_at_any_size():
    P = np.random.default_rng(1).standard_normal((3, 4, 4))
    np.testing.assert_allclose(style_term(np.tile(P, (1, 2, 3)), gram(P))[0], 0, atol=1e-25)


def test_the_content_term():
    F, P = np.random.default_rng(2).standard_normal((2, 2, 3, 4))
    value, slope = content_term(F, P)
    np.testing.assert_allclose(value, sum((f - p) ** 2 for f, p in zip(F.ravel(), P.ravel())) / 2 / 24, rtol=1e-12)
    np.testing.assert_allclose(slope, _central(lambda F: content_term(F, P)[0], F), rtol=1e-6, atol=1e-10)


def test_the_gradient_of_the_whole_loss():
    net = _net(activation=Tanh)  # no kinks but those of the pooling
    loss = StyleLoss(
        Several(net, ["relu1", "relu2"]), _image(6, 7), [_stripes(8, 9), _image(7, 7, seed=4)], [0.3, 0.7],
        {"relu2": 2.0}, {"relu1": 0.5, "relu2": 1.5},
    )  # fmt: skip
    x = _image(6, 7, seed=5) + np.random.default_rng(6).standard_normal((1, 3, 6, 7))

    def total(x):
        content, style = loss(x, 0.7, 3.0)[0]
        return 0.7 * content + 3.0 * style

    np.testing.assert_allclose(loss(x, 0.7, 3.0)[1], _central(total, x, 1e-3), rtol=1e-4, atol=1e-9)


def test_layers_weigh_alike_whatever_their_scale():
    # A layer's outputs times 100: its scale takes it out again.
    net, other = _net(), _net()
    for key, array in other.state_dict().items():
        if key.startswith("conv2"):
            array *= 100
    photo, painting = _image(), _stripes()
    parts = []
    for each in (net, other):
        loss = StyleLoss(Several(each, ["relu2"]), photo, [painting], [1.0], {"relu2": 1.0}, {"relu2": 1.0})
        parts.append(loss(_image(seed=3), 1.0, 1.0)[0])
    np.testing.assert_allclose(*parts, rtol=1e-10)


# The layers ----------------------------------------------------------------------------------------------------------


def test_the_papers_layers_of_vgg():
    for name in ("vgg16", "vgg19"):
        net = minicnn.build(name)
        assert default_style(net) == {f"relu{k}_1": 0.2 for k in range(1, 6)}
        assert default_content(net) == {"relu4_2": 1.0}
    part = minicnn.build("vgg16").upto("conv3_3")
    assert list(default_style(part)) == ["relu1_1", "relu2_1", "relu3_1"]
    assert default_content(part) == {"relu3_2": 1.0}


def test_their_like_in_googlenet():
    net = minicnn.build("googlenet")
    names = ["conv1/relu_7x7", "conv2/relu_3x3_reduce", *(f"inception_{k}a/output" for k in (3, 4, 5))]
    assert default_style(net) == dict.fromkeys(names, 0.2)
    assert default_content(net) == {"inception_4b/output": 1.0}


def test_layers_by_name():
    net = _net()
    assert parse_layers(net, " relu1=0.25, relu2", None) == {"relu1": 0.25, "relu2": 1.0}
    with pytest.raises(UnknownNameError, match="no node 'rlu1'; did you mean relu1"):
        parse_layers(net, "rlu1", None)
    for text in ("relu1=much", "relu1=-1", "relu1=nan", "relu1="):
        with pytest.raises(UsageError, match="is no weight, expected a number of 0 or more"):
            parse_layers(net, text, None)
    with pytest.raises(UsageError, match="name the content and style layers"):
        default_style(Net([("conv", Conv2d(3, 2, 3))], meta=META).init(0))


def test_average_in_place_of_max():
    nodes = [("pool", MaxPool2d(3, stride=2, pad=1, ceil_mode=True))]
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    out = average_pooled(Net(nodes).astype("float64"))(x)
    # Windows of 2x2, 2x3 ... cells inside the image, whose means these are; padding does not count.
    np.testing.assert_allclose(out[0, 0], [[2.5, 4, 5], [8.5, 10, 11], [12.5, 14, 15]], rtol=1e-15)
    net = _net()
    assert isinstance(net["pool1"].layer, MaxPool2d)
    averaged = average_pooled(net)
    assert not isinstance(averaged["pool1"].layer, MaxPool2d) and averaged["conv2"].layer is net["conv2"].layer
    options = ({"pooling": "max"}, {"pooling": "average"}, {})
    images = [style(net, _image(), _stripes(), **TWO, steps=3, **each)["image"] for each in options]
    assert np.abs(images[0] - images[1]).max() > 0.1
    np.testing.assert_array_equal(images[1], images[2])  # the paper's pictures have averages


# The colours ---------------------------------------------------------------------------------------------------------

YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def _colours(picture):
    return picture.transpose(1, 0, 2, 3).reshape(3, -1)


def test_matched_colours():
    rng = np.random.default_rng(0)
    painting, photo = rng.uniform(size=(1, 3, 9, 7)), rng.uniform(0.2, 0.6, (1, 3, 5, 6)) ** 2
    found, goal = _colours(matched(painting, photo)), _colours(photo)
    np.testing.assert_allclose(found.mean(axis=1), goal.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(np.cov(found), np.cov(goal), rtol=1e-9)
    np.testing.assert_allclose(matched(photo, photo), photo, rtol=0, atol=1e-9)
    grey = np.repeat(rng.uniform(size=(1, 1, 9, 7)), 3, axis=1)
    assert np.isfinite(matched(grey, photo)).all()  # a painting without colours, whose covariance has no inverse
    np.testing.assert_allclose(matched(np.full((1, 3, 4, 4), 0.3), photo)[0, :, 0, 0], goal.mean(axis=1), rtol=1e-9)


def test_luminance_alone():
    rng = np.random.default_rng(1)
    photo, picture = rng.uniform(0.4, 0.6, (2, 1, 3, 6, 5))  # near the middle: nothing is cut off
    found, old, new = (YIQ @ _colours(p) for p in (with_luminance(photo, picture, "RGB"), photo, picture))
    np.testing.assert_allclose(found[0], new[0], rtol=1e-12)
    np.testing.assert_allclose(found[1:], old[1:], rtol=0, atol=1e-4)  # of the rounded matrix
    flipped = with_luminance(photo[:, ::-1], picture[:, ::-1], "BGR")
    np.testing.assert_allclose(flipped[:, ::-1], with_luminance(photo, picture, "RGB"), rtol=1e-12)


def test_a_grey_painting_like_the_photo():
    rng = np.random.default_rng(2)
    painting, photo = rng.uniform(size=(1, 3, 6, 5)), rng.uniform(0.3, 0.5, (1, 3, 4, 4))
    grey, goal = grey_like(painting, photo, "RGB"), luminance(photo, "RGB")
    np.testing.assert_allclose([grey.mean(), grey[:, 0].std()], [goal.mean(), goal.std()], rtol=1e-12)
    assert np.ptp(grey, axis=1).max() == 0
    assert np.corrcoef(grey[0, 0].ravel(), luminance(painting, "RGB").ravel())[0, 1] > 0.999


def test_kept_colours_are_the_photos():
    net, photo = _net(), _image()
    image = style(net, photo, _stripes(), **TWO, steps=10, style_weight=100.0, colours="luminance")["image"]
    pixels = [_colours((a + MEAN) / 255)[::-1] for a in (image, photo)]
    inside = (pixels[0] > 1e-6).all(axis=0) & (pixels[0] < 1 - 1e-6).all(axis=0)  # the others were cut off
    found, old = (YIQ @ p[:, inside] for p in pixels)
    assert inside.mean() > 0.5 and np.abs(found[0] - old[0]).max() > 0.01
    np.testing.assert_allclose(found[1:], old[1:], rtol=0, atol=1e-3)
    used = style(net, photo, _image(26, 30, seed=9), **TWO, steps=1, colours="matched")["styles"][0]
    np.testing.assert_allclose(np.cov(_colours(used)), np.cov(_colours(photo)), rtol=1e-6)


# The whole -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"optimiser": "adam", "rate": 0.03}, {"start": "noise", "variation": 0.1}])
def test_the_style_comes_and_the_content_stays(options):
    net, photo, painting = _net("float32"), _image().astype(np.float32), _stripes().astype(np.float32)
    result = style(net, photo, painting, **TWO, style_weight=30.0, steps=60, **options)
    assert result["image"].shape == photo.shape and result["image"].dtype == np.float32
    assert result["before"][0, 1] > 8 * result["after"][0, 1]
    # Far nearer to the photo than to a stranger.
    away = [np.abs(net(result["image"], until="relu2") - net(other, until="relu2")).mean() for other in
            (photo, _image(seed=7).astype(np.float32))]  # fmt: skip
    assert away[0] < away[1]
    assert result["curve"][0].shape[1] == 3 and 20 < len(result["curve"][0]) <= 60


def test_what_is_measured():
    net, photo, painting = _net(), _image(), _stripes()
    result = style(net, photo, painting, **TWO, steps=4, pooling="max")
    loss = StyleLoss(
        Several(net, ["relu2", "relu1"]), photo, [painting], [1.0], {"relu2": 1.0}, {"relu1": 1.0, "relu2": 1.0}
    )
    for image, found in ((photo, result["before"]), (result["image"], result["after"])):
        np.testing.assert_allclose(found[0, :2], loss(image, 1.0, 1.0)[0], rtol=1e-5, atol=1e-12)
        pixels = (image + MEAN) / 255
        differences = sum(np.square(np.diff(pixels, axis=a)).sum() for a in (2, 3)) / (24 * 20)
        np.testing.assert_allclose(found[0, 2], differences, rtol=1e-5)
    np.testing.assert_allclose(result["curve"][0][-1], result["after"][0], rtol=1e-5)
    assert result["before"][0, 0] == 0


def test_a_photo_in_its_own_style_stays():
    net, photo = _net(), _image()
    result = style(net, photo, photo, **TWO, steps=5)
    np.testing.assert_allclose(result["before"][0, :2], 0, atol=1e-20)
    np.testing.assert_allclose(result["image"], photo, rtol=0, atol=1e-6)


def test_variation_is_taken_off():
    net, photo, painting = _net(), _image(), _stripes()
    rough, smooth = (style(net, photo, painting, **TWO, steps=20, variation=v)["after"][0, 2] for v in (0.0, 100.0))
    assert smooth < 0.5 * rough


def test_several_styles_are_blended():
    net, photo, one, other = _net(), _image(), _stripes(), _image(26, 30, seed=9)
    alone = style(net, photo, one, **TWO, steps=4)["image"]
    both = [one, other]  # a list, each of its own size
    np.testing.assert_allclose(style(net, photo, both, **TWO, steps=4, blend="3,0")["image"], alone, rtol=0, atol=1e-6)
    assert np.abs(style(net, photo, both, **TWO, steps=4, blend="0, 2")["image"] - alone).mean() > 1
    twice = style(net, photo, np.concatenate([one, one]), **TWO, steps=4, blend="0.2,0.8")["image"]
    np.testing.assert_allclose(twice, alone, rtol=0, atol=1e-3)
    for blend in ("1", "1,2,3", "0,0", "a,b", "-1,2"):
        with pytest.raises(UsageError, match=r"blend is|is no weight"):
            style(net, photo, both, **TWO, blend=blend)


def test_a_batch_is_its_images_one_by_one():
    net, photos, painting = _net(), _image(N=2), _stripes()
    both = style(net, photos, painting, **TWO, steps=5)
    for n in range(2):
        one = style(net, photos[n : n + 1], painting, **TWO, steps=5)
        np.testing.assert_array_equal(both["image"][n], one["image"][0])
        np.testing.assert_array_equal(both["after"][n], one["after"][0])


def test_from_coarse_to_fine():
    net, photo, painting = _net(), _image(140, 130), _stripes(150, 160)
    result = style(net, photo, painting, **TWO, steps=3, octaves=5, ratio=2.0)
    assert result["image"].shape == photo.shape and len(result["curve"][0]) == 6  # 35 pixels would be too few
    assert result["after"][0, 1] < result["before"][0, 1]


def test_noise_counts_its_seed_and_the_arrays_stay():
    net, photo, painting = _net(), _image(), _stripes()
    kept = photo.copy(), painting.copy()
    images = [style(net, photo, painting, **TWO, steps=2, start="noise", seed=s)["image"] for s in (0, 0, 1)]
    np.testing.assert_array_equal(images[0], images[1])
    assert np.abs(images[0] - images[2]).max() > 1
    np.testing.assert_array_equal(photo, kept[0])
    np.testing.assert_array_equal(painting, kept[1])


def test_interrupted_it_keeps_the_image_so_far(monkeypatch):
    net, photos, calls = _net(), _image(N=2), []
    walk = Several.walk

    def interrupted(self, tape, douts):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return walk(self, tape, douts)

    monkeypatch.setattr(Several, "walk", interrupted)
    with pytest.warns(StoppedEarly, match="style: interrupted, this is the result so far"):
        result = style(net, photos, _stripes(), **TWO, steps=50)
    assert 1 <= len(result["curve"][0]) < 8 and result["curve"][1].shape == (0, 3)
    assert result["after"][0, 1] < result["before"][0, 1]
    np.testing.assert_allclose(result["image"][1], photos[1], rtol=0, atol=1e-9)
    assert [name for name, _ in METHODS["style"].picture(result, net, photos)] == ["image", "beside"]


def test_the_picture():
    net, photo = _net(), _image()
    result = style(net, photo, [_stripes(), _image(30, 30)], **TWO, steps=2)
    made = dict(METHODS["style"].picture(result, net, photo))
    # Photo, 26x22 and 30x30 paintings, result: all 160 / 20 = 8 times as large, in cells of 240 pixels and gaps of 2.
    assert made["image"].size == (20, 24) and made["beside"].width == 4 * 240 + 5 * 2
    with_photo = np.asarray(made["beside"])
    assert (with_photo[-242:-2, 2:162] != 255).any(axis=2)[:192].all() and (with_photo[-50:-2, 2:162] == 255).all()
    with_none = dict(METHODS["style"].picture(result, net))
    assert with_none["beside"].width < made["beside"].width


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0, expected 1 or more"),
        ({"rate": 0.0}, "rate is 0.0, expected a number above 0"),
        ({"style_weight": -1.0}, "style_weight is -1.0, expected a number of 0 or more"),
        ({"variation": float("nan")}, "variation is nan"),
        ({"start": "zeros"}, "start is 'zeros', expected 'content' or 'noise'"),
        ({"colours": "none"}, "colours is 'none', expected 'style' or 'matched' or 'luminance'"),
        ({"pooling": "sum"}, "pooling is 'sum', expected 'max' or 'average'"),
        ({"optimiser": "sgd"}, "optimiser is 'sgd', expected 'lbfgs' or 'adam'"),
        ({"octaves": 0}, "octaves is 0"),
        ({"ratio": 1.0}, "ratio is 1.0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        style(_net(), _image(), _stripes(), **{**TWO, **options})


def test_a_net_of_greys_keeps_no_colours():
    net = minicnn.build("lenet_relu", seed=0)
    with pytest.raises(UsageError, match="colours is 'matched', but this net sees greys"):
        style(net, np.zeros((1, 1, 28, 28), np.float32), np.zeros((1, 1, 28, 28), np.float32), colours="matched")


def test_without_scipy_there_is_adam(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    net, photo, painting = _net(), _image(), _stripes()
    with pytest.raises(MissingExtraError, match=r'pip install "minicnn\[optimise\]"'):
        style(net, photo, painting, **TWO, steps=1)
    assert style(net, photo, painting, **TWO, steps=1, optimiser="adam")["image"].any()


@pytest.mark.data
def test_the_first_blocks_of_vgg(data_dir):
    from minicnn.vis.image import preprocess_whole, read_image
    from minicnn.weights import store

    path = data_dir / "weights" / "vgg16_conv1_1-conv3_3.safetensors"
    net = store.load(path, "vgg16", format="caffe", upto="conv3_3")
    photo, painting = (
        preprocess_whole(read_image(data_dir / "images" / "style" / name), net.meta, 48)
        for name in ("tubingen.jpg", "starry_night.jpg")
    )
    result = style(net, photo, painting, steps=12)
    assert result["before"][0, 1] > 4 * result["after"][0, 1]
