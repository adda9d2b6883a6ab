"""The loop: batches in, gradients back, parameters moved; stopped at any moment, it goes on to the same bits."""

import fnmatch
import math
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..device import computing, on_device, to_host
from ..errors import UnknownNameError, UsageError
from ..layers.softmax_cross_entropy import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from ..weights.store import save
from . import checkpoints, history
from .clipping import clip_by_norm, global_norm
from .evaluate import evaluate
from .fingerprint import fingerprint
from .finite import check_finite_step

LAST, BEST = "last.checkpoint", "best.safetensors"


class Trainer:
    """Trains a net, epoch after epoch.

        trainer = Trainer(net, loader, Momentum(decay=5e-4), Cosine(0.1, steps=10 * len(loader)), 10, folder="run")
        trainer.run()          # begins, or goes on where `folder` says that it stopped

    net         not frozen; its own arrays are trained, where they are: `net.to("cuda")` trains on the card
    loader      a `Loader`: x, labels; its seed is also that of dropout and attack, each step by itself
    optimiser   an `Optimiser`; schedule: step -> rate, counted from 0 over the whole run
    epochs      how many
    validation  a Loader in the data's order, after each epoch; `Plateau` hears its error, 1 - accuracy (without one
                the training loss)
    attack      an `Attack` on each batch: adversarial training; validation_attack likewise before each judgement
    clip        the largest norm of all gradients together
    patience    stop after so many epochs in a row without a better validation accuracy
    frozen      nodes that stay as they are, batch norm's running statistics too: names, or patterns as "conv*"
    folder      where checkpoints, curves and the best net go; nowhere unless given
    save_every  steps between checkpoints, which also come at each epoch's end
    identity    what makes the run the one it is, as JSON can hold it: a checkpoint of another is refused
    progress    whether a bar may be shown on stderr

    Its state is a function of the seed and the step: nothing is drawn from a generator that lives longer than a step.
    """

    def __init__(
        self,
        net,
        loader,
        optimiser,
        schedule,
        epochs,
        validation=None,
        attack=None,
        validation_attack=None,
        clip=None,
        patience=None,
        frozen=(),
        folder=None,
        save_every=500,
        identity=None,
        progress=True,
    ):
        if patience is not None and validation is None:
            raise UsageError("patience counts epochs without a better validation accuracy: it needs validation")
        self.net, self.loader, self.optimiser, self.schedule, self.epochs = net, loader, optimiser, schedule, epochs
        self.validation, self.attack, self.validation_attack = validation, attack, validation_attack
        self.clip, self.patience, self.frozen = clip, patience, tuple(frozen)
        self.folder = Path(folder) if folder is not None else None
        self.save_every, self.identity, self.progress = save_every, identity, progress
        self._trained = self._names_of_trained() if self.frozen else True
        self.step = 0
        self.history = []  # a row an epoch, see history.COLUMNS
        self.best, self.waited = -math.inf, 0
        self._begin_epoch()

    # One step ------------------------------------------------------------------------------------------------------

    def train_step(self, x, labels):
        """One batch: forward, loss, backward, clip, move; the loss, and how many of its answers were right."""
        rng = np.random.default_rng([self.loader.seed, self.step, 0, 1])  # four words: none of the loader's generators
        if self.attack:
            x = self.attack(self.net, x, labels, rng)
        with computing(self.net):
            x = on_device(self.net, x)
            scores, tape = self.net.forward(x, until=self.net.scores, train=self._trained, rng=rng, once=True)
            loss, cache = softmax_cross_entropy_forward(scores, labels)
            dscores = softmax_cross_entropy_backward(1.0, cache)
            _, grads = self.net.backward(dscores, tape, wrt=False, params=self._trained)
            norm = clip_by_norm(grads, self.clip) if self.clip else global_norm(grads)
            check_finite_step(self.net, x, self.step, loss, norm, grads)
            self.optimiser.step(self.net.state_dict(), grads, self.schedule(self.step))
            self.step += 1
            return loss, int((scores.argmax(axis=1) == cache.labels).sum())

    # The run -------------------------------------------------------------------------------------------------------

    def run(self):
        """Train to the end; the history.

        Ctrl-C ends the step that is being done, writes a checkpoint and raises KeyboardInterrupt; pressed again it does
        not wait, and the checkpoint before stands.
        """
        self.resume()
        with _interrupt_noted() as self._interrupted:
            while not self.done:
                self._epoch()
        return self.history

    @property
    def done(self):
        stopped = self.patience is not None and self.waited > self.patience
        return self.loader.epoch >= self.epochs or stopped

    def _epoch(self):
        epoch = self.loader.epoch
        with self._bar(epoch) as bar:
            begin = time.perf_counter()
            for x, labels in self.loader:
                self._waiting += time.perf_counter() - begin
                loss, right = self.train_step(x, labels)
                self._loss += loss * len(labels)
                self._right += right
                self._seen += len(labels)
                bar.update(len(labels))
                bar.set_postfix_str(f"loss {self._loss / self._seen:.3f}, {self._right / self._seen:.1%}", False)
                self._seconds += time.perf_counter() - begin
                # After an epoch's last batch the epoch is finished first.
                if self.loader.epoch == epoch and (self.step % self.save_every == 0 or self._interrupted):
                    self.checkpoint()
                    self._stop_if_interrupted()
                begin = time.perf_counter()
        self._finish_epoch(epoch)
        self._stop_if_interrupted()

    def _stop_if_interrupted(self):
        if self._interrupted:
            raise KeyboardInterrupt

    def _finish_epoch(self, epoch):
        row = {
            "epoch": epoch + 1,
            "step": self.step,
            "rate": self.schedule(self.step - 1),
            "loss": self._loss / self._seen,
            "accuracy": self._right / self._seen,
            "seconds": round(self._seconds, 2),
            "images_per_s": round(self._seen / self._seconds, 1),
            "loader_share": round(self._waiting / self._seconds, 4),
        }
        if self.validation:
            found = self._validate()
            row |= {"validation_loss": found.loss, "validation_accuracy": found.accuracy}
        self.schedule.report(1 - found.accuracy if self.validation else row["loss"])
        row["weights"] = fingerprint(self.net)
        self.history.append(row)
        value = row["validation_accuracy"] if self.validation else -row["loss"]
        self.waited = 0 if value > self.best else self.waited + 1
        if value > self.best:
            self.best = value
            self._save_best()
        self._begin_epoch()
        # The checkpoint comes last: whatever is stopped before it is done again, to the same bits.
        if self.folder:
            history.write(self.history, self.folder)
        self.checkpoint()

    def _validate(self):
        self.validation.epoch = self.validation.index = 0
        return evaluate(self.net, self.validation, self.validation_attack, seed=self.loader.seed)

    def _begin_epoch(self):
        self._loss, self._right, self._seen, self._seconds, self._waiting = 0.0, 0, 0, 0.0, 0.0

    def _names_of_trained(self):
        """The nodes that nothing in `frozen` matches; raises UnknownNameError for a pattern that matches none."""
        names = [node.name for node in self.net.nodes]
        matched = {pattern: set(fnmatch.filter(names, pattern)) for pattern in self.frozen}
        for pattern, found in matched.items():
            if not found:
                raise UnknownNameError("node that matches", pattern, names)
        return set(names).difference(*matched.values())

    # Stopping and going on -------------------------------------------------------------------------------------------

    def checkpoint(self):
        """Write the whole state to `folder`; the old checkpoint stays until the new one is on the disk."""
        if not self.folder:
            return
        state = self.optimiser.state_dict()
        arrays = {f"net:{key}": array for key, array in self.net.state_dict().items()}
        arrays |= {f"optimiser:{key}": a for key, a in state.items() if hasattr(a, "dtype")}
        arrays = {key: to_host(self.net, array) for key, array in arrays.items()}
        rest = {
            "identity": self.identity,
            "step": self.step,
            "loader": self.loader.state(),
            "schedule": self.schedule.state_dict(),
            "optimiser": {key: n for key, n in state.items() if not hasattr(n, "dtype")},
            "epoch": [self._loss, self._right, self._seen, self._seconds, self._waiting],
            "history": self.history,
            "best": self.best,
            "waited": self.waited,
        }
        checkpoints.write(self.folder / LAST, arrays, rest)

    def resume(self):
        """Go to the state of the folder's checkpoint, if there is one; whether there was.

        Raises UsageError if it is of another run, FormatError if it is damaged; what does not fit the net, ShapeError.
        """
        if not self.folder or not (self.folder / LAST).is_file():
            return False
        arrays, rest = checkpoints.read(self.folder / LAST)
        if rest.get("identity") != self.identity:
            raise UsageError(f"{self.folder} holds another run: {_difference(rest.get('identity'), self.identity)}")
        self.loader.restore(rest["loader"])
        self.schedule.load_state_dict(rest["schedule"])
        kept = {key: on_device(self.net, array) for key, array in _part(arrays, "optimiser:").items()}
        self.optimiser.load_state_dict(kept | rest["optimiser"])
        self.net.load_state_dict(_part(arrays, "net:"))
        self.step, self.history, self.best, self.waited = (rest[key] for key in ("step", "history", "best", "waited"))
        self._loss, self._right, self._seen, self._seconds, self._waiting = rest["epoch"]
        return True

    def _save_best(self):
        if self.folder:
            save(self.net, self.folder / BEST)

    # What the user sees ----------------------------------------------------------------------------------------------

    def _bar(self, epoch):
        done = self.loader.index * self.loader.size
        return tqdm(
            total=self.loader.items,
            initial=done,
            desc=f"epoch {epoch + 1}/{self.epochs}",
            unit=" images",
            disable=None if self.progress else True,
        )


@contextmanager
def _interrupt_noted():
    """Yields a list that is true once Ctrl-C was pressed; pressed again it raises as always.

    Only the main thread hears signals: elsewhere the list stays empty, and where Ctrl-C is ignored (under nohup).
    """
    noted, before = [], signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield noted
        return

    def note(signum, frame):
        noted.append(signum)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _part(arrays, prefix):
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _difference(theirs, ours):
    """The first entry in which two identities differ, in words."""
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return f"{theirs!r} there, {ours!r} here"
    key = next(key for key in [*ours, *theirs] if theirs.get(key) != ours.get(key))
    return f"{key} is {theirs.get(key)!r} there, {ours.get(key)!r} here"
