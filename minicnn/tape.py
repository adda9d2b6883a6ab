"""What a forward pass leaves behind: one entry a node, in order."""

from typing import Any, NamedTuple

from .errors import UnknownNameError


class Entry(NamedTuple):
    name: str
    layer: Any
    inputs: tuple  # names of the nodes whose outputs were read
    out: Any
    cache: Any


class Tape:
    """The entries of one forward pass, by position or by name; `tape["conv1"].out` is that node's output.

    One tape can be walked backward many times, under many rules: walking changes nothing.
    """

    def __init__(self, input_name, x):
        self.input_name, self.x = input_name, x
        self.entries = []
        self._by_name = {}

    def append(self, entry):
        self._by_name[entry.name] = entry
        self.entries.append(entry)

    def out(self, name):
        """The output of node `name`; the input's name gives the image itself."""
        return self.x if name == self.input_name else self[name].out

    def __getitem__(self, key):
        if isinstance(key, str):
            if key not in self._by_name:
                raise UnknownNameError("node on the tape", key, self._by_name)
            return self._by_name[key]
        return self.entries[key]

    def __contains__(self, name):
        return name in self._by_name

    def __iter__(self):
        return iter(self.entries)

    def __len__(self):
        return len(self.entries)

    def __repr__(self):
        return (
            f"<Tape of {len(self)} nodes, {self.entries[0].name} to {self.entries[-1].name}>"
            if self.entries
            else "<Tape, empty>"
        )
