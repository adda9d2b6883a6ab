"""Published weights: downloaded, checked against their published hash, and converted, once."""

import logging
import os
import re
from urllib.parse import urlsplit

from .. import zoo
from ..errors import MissingFileError, OutputError, UsageError
from . import formats, native
from .convert import import_file
from .digest import digests
from .download import DownloadError, download
from .lock import lock
from .places import cache_folder, downloads_folder, folders, named

log = logging.getLogger("minicnn")


def fetch(name, format=None, progress=True):
    """The file, in minicnn's own form, of the weights that are published for an architecture.

        path = fetch("resnet18");  net = minicnn.load("resnet18")

    name      the zoo's
    format    "torch" or "caffe", where both are published; the first one of `Entry.files` unless given
    progress  whether a bar on the terminal shows it
    What is there already is not fetched again. A file that somebody has put into `downloads_folder` under its published
    name is taken instead of a download; MINICNN_OFFLINE=1 forbids downloads. The hash is checked before anything else
    is done with the bytes. Any number of processes may do this at once.
    Raises MissingFileError that says why, and which file to put where; UnknownNameError, UsageError, OutputError.
    """
    entry = zoo.entry(name)
    file = _choose(entry, format)
    if found := _installed(entry, file):
        return found
    folder = downloads_folder()
    original, part = folder / file.name, folder / f"{file.name}.part"
    try:
        with lock(folder / f"{file.name}.lock", lambda: log.info("another process fetches %s: waiting", file.name)):
            if found := _installed(entry, file):
                return found
            placed = original.exists()
            if placed:
                _check_placed(file, original)
            else:
                _download(entry, file, part, progress)
                os.replace(part, original)
            converted = import_file(original, name, cache_folder(), changes={"source": file.url}, format=file.format)
            if not placed:
                original.unlink()
            return converted
    except OSError as error:
        if isinstance(error, (MissingFileError, OutputError)):
            raise
        raise OutputError(f"cannot write in {folder}: {error.strerror or error}") from error


def how_by_hand(entry, file):
    """How to get the file without minicnn's help, in words."""
    return (
        f"get {file.url} ({file.hash}) yourself and put it into {downloads_folder()} as {file.name}, then run "
        f"`minicnn models fetch {entry.name}{_option(entry, file)}` again; or from anywhere: "
        f"minicnn models import {file.name} --arch {entry.name} --out {cache_folder()}"
    )


def _option(entry, file):
    return "" if file == entry.files[0] else f" --format {file.format}"


def _choose(entry, format):
    if not entry.files:
        raise MissingFileError(f"no published weights of {entry.name} are known: {entry.licence}")
    if format is None:
        return entry.files[0]
    for file in entry.files:
        if file.format == format:
            return file
    there = " and ".join(file.format for file in entry.files)
    raise UsageError(f"the published weights of {entry.name} are in the form of {there}, not {format}")


def _installed(entry, file):
    """The converted file where names are looked for, or None: it says itself what it was made of."""
    for path in (path for folder in folders() for path in named(folder)):
        if re.fullmatch(rf"{re.escape(entry.name)}-[0-9a-f]{{8}}", path.stem):
            meta = native.read_meta(path)
            if meta and (meta.source == file.url or (file.sha256 and meta.sha256.startswith(file.sha256))):
                return path
    return None


def _check_placed(file, original):
    found = digests(original, "sha256", "sha1")
    if not file.accepts(*found):
        raise MissingFileError(
            f"{original} is not the file that it is called: {_difference(file, found, original)}; remove it or put the "
            f"right one there, from {file.url}"
        )


def _download(entry, file, part, progress):
    """The right bytes into `part`, from the first URL that has them."""
    if os.environ.get("MINICNN_OFFLINE", "0") not in ("", "0"):
        part_of_it = f" ({part} holds a beginning of it)" if part.exists() else ""
        raise MissingFileError(
            f"{file.name} is not here{part_of_it}, and MINICNN_OFFLINE forbids downloads: {how_by_hand(entry, file)}"
        )
    log.info("%s: %s from %s; licence: %s", entry.name, file.name, urlsplit(file.url).netloc, entry.licence)
    hosts = {urlsplit(url).netloc.lower() for name in zoo.names() for f in zoo.entry(name).files for url in f.urls}
    reasons = []
    for url in file.urls:
        try:
            _checked_download(url, file, part, hosts, progress)
            return
        except DownloadError as error:
            log.debug("%s", error)
            reasons.append(str(error))
    raise MissingFileError(f"cannot fetch {entry.name}: {'; '.join(reasons)}; {how_by_hand(entry, file)}")


def _checked_download(url, file, part, hosts, progress):
    """`part` is the right file afterwards; where it is a wrong one it is removed."""
    resumed = part.exists()
    download(url, part, hosts, file.size, progress)
    found = digests(part, "sha256", "sha1")
    if file.accepts(*found):
        return
    reason = _difference(file, found, part)
    part.unlink()
    if resumed:  # the old beginning may have been the wrong part of it
        _checked_download(url, file, part, hosts, progress)
        return
    raise DownloadError(url, reason)


def _difference(file, found, path):
    kind, digits = ("sha256", found[0]) if file.sha256 else ("sha1", found[1])
    with open(path, "rb") as data:
        instead = formats.what_instead(data.read(4096))
    size = path.stat().st_size
    about = instead or (f"{size} bytes" + (f", expected about {file.size}" if file.size else ""))
    return f"{about}; its {kind} is {digits}, expected {getattr(file, kind)}"
