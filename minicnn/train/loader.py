"""Batches for training: in an order that a seed decides, made ahead of time by threads, resumed where they stopped."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from ..errors import UsageError
from ..kernels.errors import ShapeError
from ..kernels.shapes import show
from .standardise import standardise


class Arrays:
    """Images that are in memory, as a data set for a Loader: images (N, C, H, W), labels (N,)."""

    def __init__(self, images, labels):
        if images.ndim != 4 or labels.shape != images.shape[:1]:
            raise ShapeError(f"images {show(images.shape)} and labels {show(labels.shape)}, expected (N,C,H,W), (N,)")
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def batch(self, indices):
        return self.images[indices], self.labels[indices]


class Loader:
    """Batches (x, labels) of a data set, epoch after epoch; each iteration runs to the end of the present epoch.

        loader = Loader(Arrays(images, labels), 128, steps=(flip, partial(random_crop, pad=4)), meta=net.meta)
        while loader.epoch < 10:
            for x, labels in loader:
                ...

    Everything random in a batch comes from (seed, epoch, number of the batch), never from what was drawn before: so the
    number of threads changes nothing, and a resumed run sees the same bits.

    data       has `batch(indices) -> (images (N, C, H, W), labels (N,))`, fewer where it skips some, and a length
               unless it has no end: Arrays, Folders, Shapes. It is called from several threads at once
    size       images in a batch; the last batch of an epoch has what is left
    seed       of the order and of the steps
    steps      functions (images, rng) -> images, in this order: augmentation
    meta       a net's: x is what it reads, as `standardise` makes it; None: x is the images
    shuffle    False: in the data's order
    items      images in an epoch of data without an end: epoch e has those from e*items on, so none comes twice
    drop_last  leave out an epoch's last batch where it is smaller
    threads    how many make batches, up to two each ahead of the one that is being used
    epoch, index   where the next batch is: epochs that are done, and batches of this one
    Raises UsageError. What goes wrong in a thread is raised where its batch would have come; the position is then
    still before that batch.
    """

    def __init__(self, data, size, seed=0, steps=(), meta=None, shuffle=True, items=None, drop_last=False, threads=2):
        self.endless = not hasattr(data, "__len__")
        if self.endless != (items is not None):
            raise UsageError("items says how many images of data without an end an epoch has; other data have a length")
        self.items = items if self.endless else len(data)
        if min(size, threads) < 1 or seed < 0:
            raise UsageError(f"size {size} and threads {threads} are at least 1, seed {seed} at least 0")
        self.data, self.size, self.seed, self.steps, self.meta = data, size, seed, tuple(steps), meta
        self.shuffle, self.threads, self.drop_last = shuffle, threads, drop_last
        if len(self) < 1:
            raise UsageError(f"{self.items} images make no batch of {size}")
        self.epoch = self.index = 0

    def __len__(self):
        """Batches in an epoch."""
        return self.items // self.size if self.drop_last else -(-self.items // self.size)

    def __iter__(self):
        """The batches from the present position to the end of the epoch; one iteration at a time.

        The position moves on when a batch is handed out: saved while it is used, it names the next one.
        """
        epoch, order = self.epoch, self._order(self.epoch)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="minicnn-loader")
        to_do, waiting = iter(range(self.index, len(self))), deque()
        try:
            while True:
                for index in islice(to_do, 2 * self.threads - len(waiting)):
                    waiting.append((index, pool.submit(self._make, epoch, index, order)))
                if not waiting:
                    return
                index, made = waiting.popleft()
                x, labels = made.result()
                self.epoch, self.index = (epoch, index + 1) if index + 1 < len(self) else (epoch + 1, 0)
                if len(labels):  # not where all of it was skipped
                    yield x, labels
        finally:
            # Also when the caller stops early or Ctrl-C is pressed: batches that have been begun are finished, no more.
            pool.shutdown(cancel_futures=True)

    def state(self):
        """The position, as JSON can hold it, with what makes the order: `restore` compares it."""
        return {"epoch": self.epoch, "index": self.index, **self._identity()}

    def restore(self, state):
        """Go to a position that `state` gave; raises UsageError if it is of other data, another seed or batch size."""
        for key, value in self._identity().items():
            if state.get(key) != value:
                raise UsageError(
                    f"a position with {key} {state.get(key)!r} cannot be restored: here {key} is {value!r}"
                )
        epoch, index = state.get("epoch"), state.get("index")
        if type(epoch) is not int or type(index) is not int or epoch < 0 or not 0 <= index < len(self):
            raise UsageError(f"epoch {epoch!r}, batch {index!r}: an epoch has the batches 0 to {len(self) - 1}")
        self.epoch, self.index = epoch, index

    def _identity(self):
        return {
            "seed": self.seed,
            "size": self.size,
            "items": self.items,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }

    def _order(self, epoch):
        order = np.arange(self.items)
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.items)
        return order + epoch * self.items if self.endless else order

    def _make(self, epoch, index, order):
        images, labels = self.data.batch(order[index * self.size : (index + 1) * self.size])
        rng = np.random.default_rng([self.seed, epoch, index + 1])  # 0 at the end would be the order's generator again
        if len(labels):
            for step in self.steps:
                images = step(images, rng)
        return images if self.meta is None else standardise(images, self.meta), labels
