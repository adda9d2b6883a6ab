"""What a scan has found so far, in a file: killed at any moment, it goes on from there."""

import io
import json
import zipfile

import numpy as np

from ...errors import FormatError, UsageError
from ...files import read_whole, write_whole
from .top_k import Top, nothing


class ScanState:
    """The found pictures, and which batches are done.

    top      the Top of all done batches
    done     the numbers of these
    skipped  {name: reason} of pictures that could not be read

    path     a .npz file, written whole after every batch and read again by the next scan; None for no file
    scan     {what: its value} of all that the result depends on; a file of another scan is refused
    Raises UsageError that names what differs, FormatError for a file that is none.
    """

    def __init__(self, path, scan, channels, dtype):
        self.path, self.scan = path, {key: str(value) for key, value in scan.items()}
        self.top, self.done, self.skipped = nothing(channels, dtype), set(), {}
        if path and path.exists():
            self._load()

    def add(self, number, top, skipped):
        """A batch is done, with the Top of it and all before it."""
        self.top = top
        self.done.add(number)
        self.skipped.update(skipped)
        if self.path:
            with write_whole(self.path) as file:
                texts = {"scan": json.dumps(self.scan), "skipped": json.dumps(self.skipped)}
                np.savez(file, done=np.array(sorted(self.done), np.int64), **self.top._asdict(), **texts)

    def _load(self):
        try:
            with np.load(io.BytesIO(read_whole(self.path)), allow_pickle=False) as file:
                scan, self.skipped = json.loads(str(file["scan"])), json.loads(str(file["skipped"]))
                self.done, top = set(file["done"].tolist()), Top(*(file[name] for name in Top._fields))
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
            raise FormatError(self.path, f"not the state of a scan: {error}") from error
        for key, value in self.scan.items():
            if scan.get(key) != value:
                raise UsageError(
                    f"{self.path} is of another scan: {key} {scan.get(key)}, here {value}; name another file"
                )
        if any(a.shape != top.values.shape or len(a) != len(self.top.values) for a in top):
            raise FormatError(self.path, f"not the state of a scan: {[a.shape for a in top]}")
        self.top = top
