"""The catalogue of published weights: what can be told of it without a network."""

import re
from urllib.parse import urlsplit

import pytest

from minicnn import zoo
from minicnn.weights import fetch, places, store
from minicnn.zoo.imagenet import IMAGENET

FILES = [(name, file) for name in zoo.names() for file in zoo.entry(name).files]


@pytest.mark.parametrize("name, file", FILES, ids=[f"{name} {file.format}" for name, file in FILES])
def test_a_published_file(name, file):
    entry = zoo.entry(name)
    assert file.format in entry.sources and file.format in entry.preprocess
    for url in file.urls:
        parts = urlsplit(url)
        assert (
            parts.scheme in ("http", "https")
            and parts.netloc
            and not parts.query
            and url.rpartition("/")[2] == file.name
        )
    assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}|", file.sha256) and re.fullmatch(r"[0-9a-f]{40}|", file.sha1)
    assert bool(file.sha256) != bool(file.sha1)
    if file.format == "torch":
        assert f"-{file.sha256[:8]}." in file.name
    assert file.top1 is None or 50 < file.top1 < 100


@pytest.mark.parametrize(
    "name, file", [(n, f) for n, f in FILES if f.size], ids=lambda value: getattr(value, "name", value)
)
def test_the_size_is_that_of_the_net(name, file):
    """Four bytes a parameter and little more; the files of GoogLeNets hold the auxiliary heads, too."""
    bytes_of_parameters = 4 * zoo.build(name).summary().params
    largest = 2.2 if name.startswith("googlenet") else 1.02
    assert bytes_of_parameters < file.size < largest * bytes_of_parameters + 100_000


def test_no_two_files_have_one_name():
    names = [file.name for _, file in FILES]
    assert len(names) == len(set(names)) > 20


def test_the_names_of_imagenets_classes():
    assert len(IMAGENET) == len(set(IMAGENET)) == 1000
    assert (IMAGENET[0], IMAGENET[1], IMAGENET[130], IMAGENET[-1]) == ("tench", "goldfish", "flamingo", "toilet tissue")
    for name in zoo.names():
        entry = zoo.entry(name)
        assert len(entry.labels) == entry.classes, name


@pytest.mark.data
def test_the_names_are_those_of_the_synsets(data_dir):
    lines = (data_dir / "labels" / "synset_words.txt").read_text().splitlines()
    words = [[word.strip() for word in line[10:].split(",")] for line in lines]
    odd = {k: name for k, name in enumerate(IMAGENET) if name not in words[k]}
    assert odd == {134: "crane bird", 639: "maillot tank suit"}  # the two that have a namesake


@pytest.mark.data
@pytest.mark.parametrize("depth, file", [(20, "resnet20-12fca82f.th"), (56, "resnet56-4bfd9763.th")])
def test_a_published_file_that_was_put_there_by_hand(data_dir, tmp_path, monkeypatch, depth, file):
    """The real file, its real hash and the real catalogue, without a network."""
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("MINICNN_OFFLINE", "1")
    places.downloads_folder().mkdir(parents=True)
    (places.downloads_folder() / file).write_bytes((data_dir / "weights" / file).read_bytes())
    path = fetch.fetch(f"cifar_resnet{depth}")
    assert path.stem == f"cifar_resnet{depth}-{file[-11:-3]}"
    assert store.load(f"cifar_resnet{depth}").meta.classes[3] == "cat"
