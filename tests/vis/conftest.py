"""The real net and photo that several files here look at."""

import pytest


@pytest.fixture(scope="session")
def googlenet(data_dir, tmp_path_factory):
    """GoogLeNet with its real weights and class names."""
    from minicnn.weights import convert, store

    weights, labels = data_dir / "weights" / "bvlc_googlenet.caffemodel", data_dir / "labels" / "synset_words.txt"
    return store.load(convert.import_file(weights, "googlenet", tmp_path_factory.mktemp("weights"), classes=labels))


@pytest.fixture(scope="session")
def photo(data_dir, googlenet):
    """A flamingo as GoogLeNet's input."""
    from minicnn.vis.image import preprocess, read_image

    return preprocess(read_image(data_dir / "images" / "imagenet" / "n02007558_flamingo.JPEG"), googlenet.meta)
