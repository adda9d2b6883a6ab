"""DeepDream against a twin written from the published notebook, its guide against loops, its parts and its memory."""

import tracemalloc

import numpy as np
import pytest

from minicnn import Net, kernels
from minicnn.errors import UsageError
from minicnn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from minicnn.meta import Meta
from minicnn.vis import METHODS, dream
from minicnn.vis.progress import StoppedEarly
from minicnn.vis.search.dream_objectives import guided, squared
from minicnn.vis.search.image_parts import gradient_in_parts, parts, value_in_parts
from minicnn.vis.search.pyramid import resize
from minicnn.vis.units import Unit

META = Meta("none", (3, 40, 40), "BGR", 200.0, (90.0, 100.0, 110.0), (2.0, 1.0, 4.0), "squash", 40)
WHITE, MEAN, STD = 200.0, np.reshape(META.mean, (1, 3, 1, 1)), np.reshape(META.std, (1, 3, 1, 1))


def _net(dtype="float64", seed=0):
    nodes = [("conv1", Conv2d(3, 6, 3, pad=1)), ("relu1", ReLU()), ("pool1", MaxPool2d(2)), ("conv2", Conv2d(6, 5, 3))]
    net = Net(nodes, meta=META).init(seed).astype(dtype)
    net.state_dict()["conv2.b"][:] = np.linspace(-1, 1, 5)
    return net


def _photo(H=44, W=60, N=1, seed=1):
    coarse = np.random.default_rng(seed).uniform(20, 180, (N, 3, 6, 8))
    return (resize(coarse, (H, W)) - MEAN) / STD


def _slope(net, x, unit="conv2"):
    out, tape = net.forward(x, until=unit)
    return net.backward(out, tape, params=False)[0]


def _twin(net, x, octaves, steps, step_size, jitter, seed):
    """The notebook's loop in pixels of 0 to 255."""
    rng = np.random.default_rng(seed)
    photo = (x * STD + MEAN) / WHITE * 255
    H, W = photo.shape[2:]
    detail = None
    for k in reversed(range(octaves)):
        size = round(H / 1.4**k), round(W / 1.4**k)
        base = resize(photo, size)
        image = base + (0 if detail is None else resize(detail, size))
        image = np.minimum(np.maximum(image, 0), 255)
        for _ in range(steps):
            oy, ox = rng.integers(-jitter, jitter + 1), rng.integers(-jitter, jitter + 1)
            rolled = np.roll(np.roll(image, ox, -1), oy, -2)
            g = _slope(net, (rolled / 255 * WHITE - MEAN) / STD) / STD  # times WHITE / 255, which the mean takes out
            rolled = rolled + step_size / np.abs(g).mean() * g
            image = np.minimum(np.maximum(np.roll(np.roll(rolled, -ox, -1), -oy, -2), 0), 255)
        detail = image - base
    return (image / 255 * WHITE - MEAN) / STD


def test_it_is_the_notebooks_loop(backend):
    net, x = _net(), _photo(64, 80)
    result = dream(net, x, "conv2", octaves=3, steps=3, step_size=2.5, jitter=7, seed=5)
    np.testing.assert_allclose(result["image"], _twin(net, x, 3, 3, 2.5, 7, 5), rtol=0, atol=1e-9)
    assert result["norms"].shape == (1, 3, 2) and result["octaves"].shape == (1, 3, 3, 64, 80)


def test_the_defaults_are_the_published_ones():
    net, x = _net(), _photo(100, 120)
    expected = dream(net, x, "conv2", octaves=4, ratio=1.4, steps=10, step_size=1.5, jitter=32)
    np.testing.assert_array_equal(dream(net, x, "conv2")["image"], expected["image"])


@pytest.mark.parametrize("unit", ["conv2", "conv2:3", "relu1"])
def test_the_norm_rises_at_every_octave(unit):
    net, x = _net("float32"), _photo(80, 64).astype(np.float32)
    result = dream(net, x, unit, octaves=3, steps=5)
    assert result["image"].dtype == result["norms"].dtype == result["octaves"].dtype == np.float32
    before, after = np.moveaxis(result["norms"][0], 1, 0)
    assert (after > before * 1.01).all()


def test_the_norms_are_those_of_the_images():
    net, x = _net(), _photo()
    norms = dream(net, x, "conv2:1", octaves=1, steps=2)["norms"]
    after = dream(net, x, "conv2:1", octaves=1, steps=2)["image"]
    expected = [np.linalg.norm(net(image)[0, 1]) for image in (x, after)]
    np.testing.assert_allclose(norms[0, 0], expected, rtol=1e-6)


def test_what_is_asked_of_a_layer_and_of_a_channel():
    out = np.random.default_rng(0).standard_normal((2, 4, 3, 5))
    values, dout = squared(Unit("any"))(out)
    np.testing.assert_array_equal(dout, out)
    np.testing.assert_allclose(values, [(out[n] ** 2).sum() for n in range(2)])
    values, dout = squared(Unit("any", 2))(out)
    expected = np.zeros_like(out)
    expected[:, 2] = out[:, 2]
    np.testing.assert_array_equal(dout, expected)
    np.testing.assert_allclose(values, [(out[n, 2] ** 2).sum() for n in range(2)])
    with pytest.raises(UsageError, match="any:4: channel 4 of 0 to 3"):
        squared(Unit("any", 4))(out)


def test_the_best_match_of_each_position(monkeypatch):
    from minicnn.vis.search import dream_objectives

    rng = np.random.default_rng(2)
    out, vectors = rng.standard_normal((2, 4, 3, 5)), rng.standard_normal((7, 4))
    vectors[6] = vectors[1]  # a tie goes to the first, which has the same values
    dout, values = np.zeros_like(out), np.zeros(2)
    for n in range(2):
        for y in range(3):
            for x in range(5):
                matches = [sum(out[n, c, y, x] * v[c] for c in range(4)) for v in vectors]
                dout[n, :, y, x] = vectors[matches.index(max(matches))]
                values[n] += max(matches)
    for rows in (1 << 22, 30, 1):  # the table whole, and in pieces
        monkeypatch.setattr(dream_objectives, "_MATCHES", rows)
        found = guided(vectors)(out)
        np.testing.assert_array_equal(found[1], dout)
        np.testing.assert_allclose(found[0], values, rtol=1e-12)


def test_a_guide_raises_its_matches():
    net, x = _net(), _photo(64, 80)
    guides = [_photo(33, 50, seed=8), _photo(40, 36, seed=9)]  # of sizes of their own
    result = dream(net, x, "conv2", guide=guides, octaves=2, steps=4)
    vectors = np.concatenate([net(guide)[0].reshape(5, -1).T for guide in guides])
    sums = [np.sum([(vectors @ v).max() for v in net(image)[0].reshape(5, -1).T]) for image in (x, result["image"])]
    assert sums[1] > sums[0]
    np.testing.assert_allclose(result["norms"][0, 1, 1], sums[1], rtol=1e-6)
    assert not np.allclose(result["image"], dream(net, x, "conv2", octaves=2, steps=4)["image"])
    as_array = dream(net, x, "conv2", guide=_photo(40, 40, N=2), octaves=1, steps=1)
    as_list = dream(net, x, "conv2", guide=list(_photo(40, 40, N=2)[:, None]), octaves=1, steps=1)
    np.testing.assert_array_equal(as_array["image"], as_list["image"])


def test_the_parts_cover_the_image_once():
    for H, W, side in ((44, 60, 16), (7, 7, 7), (5, 9, 1), (10, 33, 11)):
        count = np.zeros((1, 1, H, W))
        for part in parts(H, W, side):
            count[part] += 1
            h, w = count[part].shape[2:]
            assert max(h, w) <= side
        assert (count == 1).all()


def test_one_part_is_the_untiled_gradient(backend):
    net, x = _net(), _photo()
    values, dx = gradient_in_parts(net, x, "conv2", squared(Unit("conv2")), 60)
    np.testing.assert_array_equal(dx, _slope(net, x))
    np.testing.assert_allclose(values, np.sum(net(x) ** 2), rtol=1e-12)
    expected = dream(net, x, "conv2", octaves=2, steps=2, tile=10**6)
    np.testing.assert_array_equal(dream(net, x, "conv2", octaves=2, steps=2, tile=60)["image"], expected["image"])


def test_without_windows_parts_are_the_whole():
    # A net of 1x1 convolutions sees no neighbours, so there are no seams.
    net = Net([("a", Conv2d(3, 4, 1)), ("relu", ReLU()), ("b", Conv2d(4, 2, 1))], meta=META).init(3).astype("float64")
    x = _photo()
    values, dx = gradient_in_parts(net, x, "b", squared(Unit("b")), 13)
    np.testing.assert_allclose(dx, _slope(net, x, "b"), rtol=0, atol=1e-12 * np.abs(dx).max())
    np.testing.assert_allclose(values, np.sum(net(x) ** 2), rtol=1e-12)
    np.testing.assert_allclose(value_in_parts(net, x, "b", squared(Unit("b")), 13), values, rtol=1e-12)


def test_away_from_the_seams_parts_are_the_whole():
    net, x = _net(), _photo(48, 48)
    _, dx = gradient_in_parts(net, x, "conv2", squared(Unit("conv2")), 24)
    whole = _slope(net, x)
    # conv1, pool1 and conv2, forward and back, reach less than 12 pixels.
    np.testing.assert_allclose(dx[:, :, :12, :12], whole[:, :, :12, :12], rtol=0, atol=1e-12 * np.abs(whole).max())
    assert np.abs(dx - whole)[:, :, 20:28].max() > 0.01 * np.abs(whole).max()


def test_seams_fall_elsewhere_each_time():
    # All of the image moves by up to half a part, even where no jitter is asked for.
    net, x = _net(), _photo(64, 64)
    result = [dream(net, x, "conv2", octaves=1, steps=3, jitter=0, tile=32, seed=s)["image"] for s in (0, 1)]
    assert np.abs(result[0] - result[1]).max() > 0
    whole = [dream(net, x, "conv2", octaves=1, steps=3, jitter=0, tile=64, seed=s)["image"] for s in (0, 1)]
    np.testing.assert_array_equal(*whole)


def _peak(side, tile):
    net = Net([("a", Conv2d(3, 16, 3, pad=1)), ("relu", ReLU()), ("b", Conv2d(16, 4, 3, pad=1))], meta=META).init(0)
    x = _photo(side, side).astype(np.float32)
    with kernels.use("numpy"):  # whose arrays are all seen by tracemalloc
        tracemalloc.start()
        dream(net, x, "b", octaves=2, steps=1, tile=tile)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_memory_is_that_of_a_part():
    image = 3 * 4 * (160**2 - 40**2)
    small, large, whole = _peak(40, 40), _peak(160, 40), _peak(160, 160)
    assert large < small + 15 * image  # a few copies of the image itself, the photo in float64 among them
    assert whole > 3 * large  # of 16 times as many pixels


def test_interrupted_it_keeps_the_dream_so_far(monkeypatch):
    net, x, steps = _net(), _photo(64, 80), []
    backward = net.backward

    def interrupted(*args, **kwargs):
        steps.append(1)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return backward(*args, **kwargs)

    monkeypatch.setattr(net, "backward", interrupted)
    with pytest.warns(StoppedEarly, match="dream: interrupted, this is the result so far"):
        result = dream(net, x, "conv2", octaves=3, steps=3, seed=5)
    # Three steps of the smallest octave and two of the next, laid over the photo in its full size.
    assert result["image"].shape == x.shape and result["norms"].shape == (1, 1, 2)
    assert np.abs(result["image"] - x).max() > 1
    assert [name for name, _ in METHODS["dream"].picture(result, net, x, "conv2")] == ["image", "octaves"]

    steps[:] = [1] * 5
    with pytest.warns(StoppedEarly):
        nothing = dream(net, x, "conv2", octaves=3, steps=3, frames=2)
    np.testing.assert_allclose(nothing["image"], x, rtol=0, atol=1e-9)
    assert nothing["norms"].shape == (1, 0, 2) and "frames" not in nothing
    assert [name for name, _ in METHODS["dream"].picture(nothing, net, None, "conv2")] == ["image"]
    assert len(METHODS["dream"].film(nothing, net, x, "conv2")) == 2


def test_a_batch_is_its_images_one_by_one():
    net, x = _net(), _photo(N=2)
    both = dream(net, x, "conv2", octaves=2, steps=2)
    for n in range(2):
        one = dream(net, x[n : n + 1], "conv2", octaves=2, steps=2)
        for key in one:
            np.testing.assert_allclose(both[key][n], one[key][0], rtol=1e-6, atol=1e-9)


def test_the_photo_stays_and_the_seed_counts():
    net, x = _net(), _photo()
    kept = x.copy()
    first, again, other = (dream(net, x, "conv2", octaves=1, steps=2, seed=s)["image"] for s in (0, 0, 1))
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_values_stay_between_black_and_white():
    image = dream(_net(), _photo(), "conv2", octaves=1, steps=3, step_size=90.0)["image"]
    low, high = (0 - MEAN) / STD, (WHITE - MEAN) / STD
    assert (image >= low - 1e-9).all() and (image <= high + 1e-9).all()
    assert ((image == low) | (image == high)).mean() > 0.2


def test_from_noise():
    net = _net("float32")
    small, large = dream(net, unit="conv2", steps=2), dream(net, unit="conv2", steps=2, side=64)
    assert small["image"].shape == (1, 3, 40, 40) and large["image"].shape == (1, 3, 64, 64)
    assert small["norms"].shape == (1, 1, 2)  # 40 / 1.4 is below 32 pixels
    assert np.abs(dream(net, unit="conv2", steps=2, seed=1)["image"] - small["image"]).max() > 0


def test_a_class_of_a_net_of_one_size():
    nodes = [("conv", Conv2d(3, 4, 3)), ("relu", ReLU()), ("flat", Flatten()), ("fc", Linear(4 * 38 * 38, 3))]
    net, x = Net(nodes, meta=META).init(0).astype("float64"), _photo(40, 40)
    after = dream(net, x, 1, jitter=0)["image"]
    assert net(after)[0, 1] ** 2 > net(x)[0, 1] ** 2


def test_the_film(monkeypatch):
    net, x = _net(), _photo(40, 60, N=2)
    result = dream(net, x, "conv2", octaves=1, steps=2, frames=3, zoom=0.2)
    assert result["frames"].shape == (3, 2, 40, 60, 3) and result["frames"].dtype == np.uint8
    frames = METHODS["dream"].film(result, net, x, "conv2")
    assert [frame.size for frame in frames] == [(120, 40)] * 3
    still = METHODS["dream"].picture(result, net, x, "conv2")[0][1]
    first = np.asarray(frames[0])
    np.testing.assert_array_equal(first[:, :60], result["frames"][0, 0])
    assert still.width > 60 and np.abs(first[:, 60:].astype(int) - result["frames"][0, 1]).max() == 0


def test_each_frame_is_the_one_before_enlarged():
    # Steps that change nothing: what is left is the zoom. A horizontal ramp gets 1 - zoom as steep about its centre.
    net = _net()
    ramp = np.broadcast_to(np.linspace(60, 140, 61), (1, 3, 41, 61))
    x = (ramp - MEAN) / STD
    frames = dream(net, x, "conv2", octaves=1, steps=1, step_size=1e-12, frames=3, zoom=0.1)["frames"][:, 0, 20, :, 0]
    centre = 127.5  # of 255: the level 100 of 200
    for k, frame in enumerate(frames):
        expected = centre + (np.linspace(60, 140, 61) - 100) / 200 * 255 * 0.9**k
        np.testing.assert_allclose(frame, expected, rtol=0, atol=0.51)


def test_the_film_without_frames_is_the_octaves():
    net, x = _net(), _photo(64, 80)
    result = dream(net, x, "conv2", octaves=3, steps=1)
    frames = METHODS["dream"].film(result, net, x, "conv2")
    assert [frame.size for frame in frames] == [(80, 64)] * 4
    picture = dict(METHODS["dream"].picture(result, net, x, "conv2"))
    np.testing.assert_array_equal(np.asarray(frames[-1]), np.asarray(picture["image"]))


def test_strengths_are_short_enough_for_a_tile():
    numbers = {0.123456: "0.123", 2590.4: "2590", 99000.0: "99000", 1.0849e7: "1.08e7", 3.2e11: "3.2e+11"}
    assert {value: METHODS["dream"]._short(value) for value in numbers} == numbers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "conv2:1:2,3"}, "conv2:1:2,3: a dream is of a whole layer or channel"),
        ({"unit": "conv2:1", "guide": _photo()}, "conv2:1: a guide is matched to all channels of a layer, name conv2"),
        ({"steps": 0}, "steps is 0, expected 1 or more"),
        ({"tile": 0}, "tile is 0, expected 1 or more"),
        ({"jitter": -1}, "jitter is -1, expected 0 or more"),
        ({"frames": -1}, "frames is -1, expected 0 or more"),
        ({"side": -1}, "side is -1, expected 0 or more"),
        ({"step_size": 0.0}, "step_size is 0.0, expected a number above 0"),
        ({"step_size": float("nan")}, "step_size is nan"),
        ({"zoom": 1.0}, "zoom is 1.0, expected 0 or more and below 1"),
        ({"octaves": 0}, "octaves is 0"),
        ({"ratio": 1.0}, "ratio is 1.0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        dream(_net(), _photo(), **{"unit": "conv2", **options})


@pytest.mark.data
def test_googlenet_dreams(googlenet, data_dir):
    from minicnn.vis.image import preprocess_whole, read_image

    x = preprocess_whole(read_image(data_dir / "images" / "dream" / "sky.jpg"), googlenet.meta, 200)
    norms = dream(googlenet, x, octaves=2, steps=3)["norms"][0]
    assert (norms[:, 1] > 1.1 * norms[:, 0]).all()
