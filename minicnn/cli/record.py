"""run.json: what a run that wrote pictures was, so that it can be repeated."""

import hashlib
import json
import logging
import time
from contextlib import contextmanager
from pathlib import Path

from .. import __version__
from ..files import read_whole, write_whole
from ..vis.image import save_png

log = logging.getLogger("minicnn")


class Record:
    """Collects what one run does in one folder; `write` makes run.json of it.

        record = Record(args, backend="numba", weights=path)
        with record.step("forward"): ...
        record.picture(image, "saliency.png")
        record.write()

    args     the parsed arguments: argv and out are read, and seed where the command has one
    weights  the file that the net was loaded from, or None
    """

    def __init__(self, args, backend, weights=None):
        self.folder = Path(args.out)
        self.data = {
            "minicnn": __version__,
            "command": ["minicnn", *args.argv],
            "backend": backend,
            "seed": getattr(args, "seed", None),
            "weights": weights and {"file": str(weights), "sha256": hashlib.sha256(read_whole(weights)).hexdigest()},
            "seconds": {},
            "files": [],
        }

    @contextmanager
    def step(self, name):
        """Times the block."""
        start = time.perf_counter()
        yield
        self.data["seconds"][name] = round(time.perf_counter() - start, 4)
        log.debug("%s: %.2f s", name, self.data["seconds"][name])

    def picture(self, image, name):
        """Write a PIL image as a PNG into the folder; returns its path."""
        save_png(image, self.folder / name)
        self.data["files"].append(name)
        return self.folder / name

    def file(self, path):
        """Note a file that was written already, wherever it lies; returns its path."""
        self.data["files"].append(str(path))
        return Path(path)

    def text(self, text, name):
        """Write a text file into the folder; returns its path."""
        self._write(text, name)
        self.data["files"].append(name)
        return self.folder / name

    def write(self):
        self._write(json.dumps(self.data, indent=2) + "\n", "run.json")

    def _write(self, text, name):
        with write_whole(self.folder / name) as file:
            file.write(text.encode())
