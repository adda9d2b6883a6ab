"""The published residual nets for CIFAR-10 on its test photos."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn import zoo
from minicnn.vis.image import preprocess
from minicnn.weights import convert, formats

FILES = {"cifar_resnet20": "resnet20-12fca82f.th", "cifar_resnet56": "resnet56-4bfd9763.th"}
EACH = 200  # photos of each of the ten classes


@pytest.fixture(scope="module")
def photos(data_dir):
    """(x, the numbers of the classes): the first 200 of each, in the order of the net's classes, which is that of the
    alphabet. The net's own preprocessing makes x."""
    meta = zoo.build("cifar_resnet20").meta
    assert list(meta.classes) == sorted(meta.classes)
    with zipfile.ZipFile(data_dir / "cifar10" / "test.zip") as archive:
        files = [f"test/{name}/{i:04}.jpg" for name in meta.classes for i in range(EACH)]
        x = np.concatenate([preprocess(Image.open(io.BytesIO(archive.read(file))), meta) for file in files])
    return x, np.repeat(np.arange(10), EACH)


@pytest.mark.data
@pytest.mark.parametrize("name, least", [("cifar_resnet20", 0.80), ("cifar_resnet56", 0.83)])
def test_small_photos_are_recognised(data_dir, photos, name, least, tmp_path):
    """The files' own figures, 91.7 % and 93.4 %, are of the photos before JPEG."""
    net = minicnn.load(convert.import_file(data_dir / "weights" / FILES[name], name, tmp_path))
    x, labels = photos
    best = np.concatenate([net(x[i : i + 200]).argmax(axis=1) for i in range(0, len(x), 200)])
    print(f"{name}: {(best == labels).mean():.1%}")
    assert (best == labels).mean() >= least


@pytest.mark.data
@pytest.mark.oracle
@pytest.mark.parametrize("name", FILES)
def test_the_same_as_pytorch(data_dir, photos, name):
    torch = pytest.importorskip("torch")
    from compare_with_twin import GRADIENT, LOGITS, differ

    import twins_residual

    path = data_dir / "weights" / FILES[name]
    twin = twins_residual.make(name).eval().requires_grad_(False)
    state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    twin.load_state_dict({key.removeprefix("module."): value for key, value in state.items()}, strict=False)
    net = zoo.build(name)
    checkpoint = formats.read(path)
    net.load_state_dict(zoo.entry(name).map_names("torch", checkpoint.tensors))
    for dtype in ("float32", "float64"):
        x = photos[0][::500].astype(dtype)
        difference = differ(net.astype(dtype), twin.to(getattr(torch, dtype)), x)
        assert difference.scores <= LOGITS[dtype]
        assert difference.gradient <= GRADIENT[dtype]
        assert difference.others <= (1e-5 * difference.sides if dtype == "float32" else 0)
