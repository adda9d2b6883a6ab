"""Hashes of files that need not fit into memory."""

import hashlib

_CHUNK = 1 << 20


def digests(path, *kinds):
    """The hex digits of a file's hashes, one a kind ("sha256", "sha1")."""
    found = [hashlib.new(kind, usedforsecurity=False) for kind in kinds]
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in found:
                digest.update(chunk)
    return tuple(digest.hexdigest() for digest in found)
