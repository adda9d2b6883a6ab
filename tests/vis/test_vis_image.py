"""Pictures of every kind read from files, brought to a net's input, and back."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from minicnn.errors import ImageError, MinicnnError, MissingFileError, OutputError
from minicnn.kernels.errors import ShapeError
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta
from minicnn.vis.image import MAX_PIXELS, contrast, deprocess, preprocess, read_image, save_png, to_rgb

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (5, 4, 3), np.uint8)  # height 5, width 4


def _read(tmp_path, image, kind="PNG", **options):
    file = tmp_path / f"picture.{kind.lower()}"
    image.save(file, kind, **options)
    found = read_image(file)
    assert found.mode == "RGB"
    return np.asarray(found)


def test_plain(tmp_path):
    np.testing.assert_array_equal(_read(tmp_path, Image.fromarray(PIXELS)), PIXELS)


# What a camera stores, so that the picture is PIXELS when turned as EXIF says.
TURNED = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.swapaxes(0, 1),
    6: PIXELS.swapaxes(0, 1)[::-1],
    7: PIXELS.swapaxes(0, 1)[::-1, ::-1],
    8: PIXELS.swapaxes(0, 1)[:, ::-1],
}


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNED[orientation]))
    np.testing.assert_array_equal(_read(tmp_path, stored, exif=exif), PIXELS)


def test_sixteen_bits(tmp_path):
    values = np.array([[0, 128, 257, 32768, 65280, 65535]], np.uint16)
    found = _read(tmp_path, Image.fromarray(values))
    np.testing.assert_array_equal(found, np.repeat([[[0], [0], [1], [128], [254], [255]]], 3, axis=2))
    np.testing.assert_array_equal(_read(tmp_path, Image.fromarray(values), "TIFF"), found)


def test_sixteen_bits_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    found = _read(tmp_path, Image.fromarray(np.array([[0, 65535]], np.uint16)), exif=exif)
    np.testing.assert_array_equal(found[0, :, 0], [255, 0])


@pytest.mark.parametrize(("mode", "value", "expected"), [("CMYK", (0, 255, 255, 0), 255), ("CMYK", (0, 0, 0, 255), 0)])
def test_cmyk_jpeg(tmp_path, mode, value, expected):
    found = _read(tmp_path, Image.new(mode, (8, 8), value), "JPEG", quality=100)
    assert abs(int(found[4, 4, 0]) - expected) <= 3  # red, then black


@pytest.mark.parametrize(("alpha", "expected"), [(255, (200, 100, 0)), (0, (255, 255, 255)), (51, (244, 224, 204))])
def test_alpha_is_laid_on_white(tmp_path, alpha, expected):
    # 51/255 = 1/5: 200/5 + 255*4/5 = 244, 100/5 + 204 = 224, 0 + 204
    found = _read(tmp_path, Image.new("RGBA", (2, 2), (200, 100, 0, alpha)))
    np.testing.assert_array_equal(found, np.full((2, 2, 3), expected))


def test_grey_with_alpha(tmp_path):
    np.testing.assert_array_equal(_read(tmp_path, Image.new("LA", (1, 1), (0, 0))), [[[255, 255, 255]]])


def test_palette_with_and_without_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    np.testing.assert_array_equal(_read(tmp_path, image), [[[10, 20, 30], [200, 100, 50]]])
    np.testing.assert_array_equal(_read(tmp_path, image, transparency=0), [[[255, 255, 255], [200, 100, 50]]])


@pytest.mark.parametrize(("mode", "value", "expected"), [("L", 77, 77), ("1", 1, 255), ("1", 0, 0)])
def test_grey_and_black_and_white(tmp_path, mode, value, expected):
    np.testing.assert_array_equal(_read(tmp_path, Image.new(mode, (3, 2), value)), np.full((2, 3, 3), expected))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation(tmp_path, kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = _read(tmp_path, frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(found, np.full((4, 4, 3), (255, 0, 0)))


def test_float_pictures_have_no_white(tmp_path):
    file = tmp_path / "float.tiff"
    Image.fromarray(np.array([[0.5, np.nan]], np.float32)).save(file)
    with pytest.raises(ImageError, match=r"float.tiff: 32 bits a channel \(mode F\)"):
        read_image(file)


# What cannot be read ------------------------------------------------------------------------------------------


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(MissingFileError, match=r"cannot read .*nothing.png: no such file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(MissingFileError, match="it is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_cut_off_anywhere(tmp_path, kind):
    whole = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)).save(whole, kind)
    file = tmp_path / f"cut.{kind.lower()}"
    for size in (len(whole.getvalue()) * k // 8 for k in range(7)):
        file.write_bytes(whole.getvalue()[:size])
        with pytest.raises(ImageError, match=f"cut.{kind.lower()}: "):
            read_image(file)


def test_no_picture_at_all(tmp_path):
    file = tmp_path / "notes.png"
    file.write_text("these are only words")
    with pytest.raises(ImageError, match=r"notes\.png: not a picture that can be read") as error:
        read_image(file)
    assert "BytesIO" not in str(error.value) and "\n" not in str(error.value)
    file.write_bytes(b"")
    with pytest.raises(ImageError, match=r"notes\.png: not a picture"):
        read_image(file)


@pytest.mark.filterwarnings("ignore")  # Pillow grumbles about what it can still read
@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_are_refused_or_read(tmp_path, seed):
    rng = np.random.default_rng(seed)
    kind = ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"][seed % 6]
    whole = io.BytesIO()
    Image.fromarray(PIXELS).save(whole, kind)
    data = np.frombuffer(whole.getvalue(), np.uint8).copy()
    places = rng.integers(0, len(data), 1 + seed // 6)
    data[places] = rng.integers(0, 256, len(places))
    file = tmp_path / "damaged"
    file.write_bytes(data.tobytes())
    try:
        assert read_image(file).mode == "RGB"
    except ImageError as error:
        assert str(error).startswith(str(file))


def _claimed(width, height):
    """The beginning of a PNG that says it is so large, and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(100_000, 100_000), (10_000, 10_000), (MAX_PIXELS // 100 + 1, 100)])
def test_too_large_is_refused_before_decoding(tmp_path, size):
    file = tmp_path / "huge.png"
    file.write_bytes(_claimed(*size))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match=f"huge.png: {size[0]}x{size[1]} pixels, more than the limit of {MAX_PIXELS}"):
        read_image(file)
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_limit_is_the_callers(tmp_path):
    file = tmp_path / "small.png"
    Image.fromarray(PIXELS).save(file)
    assert read_image(file, max_pixels=20).size == (4, 5)
    with pytest.raises(ImageError, match="4x5 pixels, more than the limit of 19"):
        read_image(file, max_pixels=19)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((2, 2, 3), np.nan), "the pixels: 12 of 12 values are NaN or infinite"),
        (np.array([[0.0, np.inf]]), "the pixels: 1 of 2"),
        (np.array([[0, 256]]), r"pixels are 0..255, these 0..256"),
        (np.array([[-1.0, 2]]), r"pixels are 0..255, these -1.0..2.0"),
        (np.zeros((2, 2, 4)), r"an array of pixels is \(H, W, 3\) or \(H, W\), not \(2,2,4\)"),
        (np.zeros((0, 2)), r"not \(0,2\)"),
        (np.zeros(3), r"not \(3\)"),
    ],
)
def test_arrays_that_are_no_picture(array, message):
    with pytest.raises(ImageError, match=message):
        to_rgb(array)


# The net's input and back -------------------------------------------------------------------------------------


def _meta(order="RGB", size=(8, 8), resize="squash", resize_to=8, **changes):
    C = 1 if order == "L" else 3
    fields = {"range": 1.0, "mean": (0.4, 0.5, 0.6)[:C], "std": (0.2, 0.25, 0.5)[:C], **changes}
    return Meta("none", (C, *size), order, resize=resize, resize_to=resize_to, **fields)


def test_values_by_hand():
    image = np.full((8, 8, 3), (51, 102, 255), np.uint8)  # a fifth, two fifths, one
    x = preprocess(image, _meta())
    assert x.shape == (1, 3, 8, 8) and x.dtype == np.float32 and x.flags.c_contiguous
    # (0.2 - 0.4)/0.2 = -1,  (0.4 - 0.5)/0.25 = -0.4,  (1 - 0.6)/0.5 = 0.8
    np.testing.assert_allclose(x[0, :, 3, 5], [-1, -0.4, 0.8], atol=1e-6)
    # In BGR blue comes first, and mean and std go by place: (1 - 0.4)/0.2, (0.4 - 0.5)/0.25, (0.2 - 0.6)/0.5
    np.testing.assert_allclose(preprocess(image, _meta("BGR"))[0, :, 0, 0], [3, -0.4, -0.8], atol=1e-6)
    caffe = _meta("BGR", range=255.0, mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(preprocess(image, caffe)[0, :, 0, 0], [255 - 104, 102 - 117, 51 - 123])


def test_grey_nets():
    x = preprocess(np.full((8, 8, 3), 102, np.uint8), _meta("L"))
    assert x.shape == (1, 1, 8, 8)
    np.testing.assert_allclose(x, 0, atol=1e-6)  # (0.4 - 0.4)/0.2


@pytest.mark.parametrize("order", ["RGB", "BGR", "L"])
def test_round_trip(order):
    image = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    if order == "L":
        image[:] = image[:, :, :1]
    back = deprocess(preprocess(image, _meta(order)), _meta(order))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, image[None])


def test_the_centre_is_cut_out():
    image = np.random.default_rng(2).integers(0, 256, (10, 14, 3), np.uint8)
    meta = _meta(size=(8, 6), resize="crop", resize_to=10)
    np.testing.assert_array_equal(deprocess(preprocess(image, meta), meta)[0], image[1:9, 4:10])


@pytest.mark.parametrize(("resize", "size"), [("crop", (300, 451)), ("crop", (77, 50)), ("squash", (300, 200))])
def test_resizing_whole_and_cutting_gives_the_same(resize, size):
    """What torchvision does: the whole picture is resized, then its centre cut out."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = Image.fromarray(np.uint8(128 + 100 * np.sin(rows / 9)[..., None] * np.cos(columns[..., None] / [7, 8, 11])))
    meta = _meta(size=(56, 48), resize=resize, resize_to=64)
    width, height = size[::-1]
    shorter = min(size)
    whole = (64, 64) if resize == "squash" else (int(64 * width / shorter), int(64 * height / shorter))
    left, top = round((whole[0] - 48) / 2), round((whole[1] - 56) / 2)
    expected = image.resize(whole, Image.Resampling.BILINEAR).crop((left, top, left + 48, top + 56))
    found = deprocess(preprocess(image, meta), meta)[0]
    assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1  # Pillow's own rounding


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_resizing_is_the_nets_own(name):
    image = Image.fromarray(np.random.default_rng(4).integers(0, 256, (20, 30, 3), np.uint8))
    meta = _meta(interpolation=name, size=(12, 12), resize_to=12)
    expected = np.asarray(image.resize((12, 12), Image.Resampling[name.upper()]))
    np.testing.assert_array_equal(deprocess(preprocess(image, meta), meta)[0], expected)


def test_a_mean_image():
    mean = np.random.default_rng(5).uniform(80, 160, (3, 4, 5)).astype(np.float32)
    meta = Meta("none", (3, 4, 5), "BGR", 255.0, (1, 2, 3), (1, 2, 4), "squash", 5, mean_image=MeanImage(mean))
    image = np.random.default_rng(6).integers(0, 256, (5, 5, 3), np.uint8)
    x = preprocess(image, meta)
    rows = image[:4]  # round(0.5) = 0 rows are left out above
    for channel, std in ((0, 1), (1, 2), (2, 4)):
        expected = (rows[:, :, 2 - channel] - mean[channel]) / std
        np.testing.assert_allclose(x[0, channel], expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(deprocess(x, meta)[0], rows)
    # An image of another size has no pixels of the mean image: the mean is added.
    np.testing.assert_array_equal(deprocess(np.zeros((1, 3, 2, 2)), meta)[0, 0, 0], [3, 2, 1])


@pytest.mark.parametrize("size", [(1, 1), (1, 200_000), (200_000, 1), (3, 5)])
@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_any_size_and_shape(size, resize):
    image = Image.new("RGB", size, (51, 102, 255))
    x = preprocess(image, _meta(size=(7, 8), resize=resize, resize_to=9))
    np.testing.assert_allclose(x, np.broadcast_to(np.reshape([-1, -0.4, 0.8], (1, 3, 1, 1)), (1, 3, 7, 8)), atol=1e-6)


def test_deprocess_clips_and_refuses():
    meta = _meta()
    np.testing.assert_array_equal(np.unique(deprocess(np.full((2, 3, 4, 5), 99.0), meta)), [255])
    np.testing.assert_array_equal(np.unique(deprocess(np.full((2, 3, 4, 5), -99.0), meta)), [0])
    assert deprocess(np.zeros((2, 3, 4, 5)), meta).shape == (2, 4, 5, 3)
    with pytest.raises(ImageError, match="x: 1 of 12 values are NaN or infinite"):
        deprocess(np.array([np.nan] + [0.0] * 11).reshape(1, 3, 2, 2), meta)
    with pytest.raises(ShapeError, match=r"x is \(1,1,8,8\), the net's images \(N,3,H,W\)"):
        deprocess(np.zeros((1, 1, 8, 8)), meta)


def test_without_meta():
    for call in (
        lambda: preprocess(PIXELS, None),
        lambda: deprocess(np.zeros((1, 3, 8, 8)), None),
        lambda: contrast(None),
    ):
        with pytest.raises(MinicnnError, match="this net has no meta"):
            call()


def test_contrast_is_white_minus_black():
    meta = _meta()
    white, black = (preprocess(np.full((8, 8, 3), v, np.uint8), meta)[:, :, :1, :1] for v in (255, 0))
    np.testing.assert_allclose(contrast(meta), white - black, rtol=1e-6)


def test_png_files(tmp_path):
    save_png(Image.fromarray(PIXELS), tmp_path / "new" / "picture.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "picture.png")), PIXELS)
    with pytest.raises(OutputError, match="cannot write"):
        save_png(Image.fromarray(PIXELS), tmp_path / "new" / "picture.png" / "inside.png")


def test_exif_expectations_agree_with_pillow():
    for orientation, stored in TURNED.items():
        image = Image.fromarray(np.ascontiguousarray(stored))
        image.getexif()[0x0112] = orientation
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), PIXELS)
