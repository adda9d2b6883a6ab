"""What a forward pass leaves behind: one entry a node, in order."""

from typing import Any, NamedTuple

from .errors import MinicnnError, UnknownNameError


class Entry(NamedTuple):
    name: str
    layer: Any
    inputs: tuple  # names of the nodes whose outputs were read
    shape: tuple  # of out
    out: Any  # None on a tape for one walk
    cache: Any


class Tape:
    """The entries of one forward pass, by position or by name; `tape["conv1"].out` is that node's output.

    One tape can be walked backward many times, under many rules: walking changes nothing. But a tape made with `once`
    holds only what one walk reads, the caches, and is empty after it: half the memory, for those who want one gradient.
    """

    def __init__(self, input_name, x, once=False):
        self.input_name, self.x, self.once = input_name, x, once
        self._entries = {}

    def append(self, entry):
        self._entries[entry.name] = entry

    def out(self, name):
        """The output of node `name`; the input's name gives the image itself.

        Raises MinicnnError where the tape is for one walk and does not hold it.
        """
        out = self.x if name == self.input_name else self[name].out
        if out is None:
            raise MinicnnError(f"the output of {name!r} is not kept: the forward pass was asked for one walk (once)")
        return out

    def shape(self, name):
        """The shape of that output."""
        return self.x.shape if name == self.input_name else self[name].shape

    def backward(self):
        """The entries from the last to the first; of a tape for one walk each is forgotten as it is given."""
        if not self.once:
            yield from reversed(list(self._entries.values()))
        while self.once and self._entries:
            yield self._entries.popitem()[1]

    def __getitem__(self, key):
        if self.once and not self._entries:
            raise MinicnnError("the tape is empty: it was made for one walk (once), which was taken")
        if not isinstance(key, str):
            return list(self._entries.values())[key]
        if key not in self._entries:
            raise UnknownNameError("node on the tape", key, self._entries)
        return self._entries[key]

    def __contains__(self, name):
        return name in self._entries

    def __iter__(self):
        return iter(self._entries.values())

    def __len__(self):
        return len(self._entries)

    def __repr__(self):
        names = list(self._entries)
        return f"<Tape of {len(names)} nodes, {names[0]} to {names[-1]}>" if names else "<Tape, empty>"
