"""A training run, killed with SIGKILL at random moments: does it always go on, and end at the same bits?

    python tests/kill_run.py --kills 50 --seed 0

Runs are begun anew until so many kills have met one. After each kill the checkpoint must be whole, and at most one
checkpoint's interval may be lost; each run's end must have the fingerprint of one that was never killed.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """
name = "tiny"
net = "shapes_vgg"
epochs = 2
batch = 4
save_every = 3

[data]
set = "shapes"
size = 16
items = 28
held_out = 4

[optimiser]
name = "Adam"

[schedule]
name = "Cosine"
rate = 0.01
"""
INTERVAL = 3


def command(recipe, out):
    return [sys.executable, "-m", "minicnn", "train", str(recipe), "--out", str(out), "--backend", "numpy", "-q"]


def run_whole(recipe, out):
    """(the last fingerprint, seconds) of a run that nobody stops."""
    begin = time.perf_counter()
    subprocess.run(command(recipe, out), check=True, stdout=subprocess.DEVNULL)
    return last_weights(out), time.perf_counter() - begin


def last_weights(out):
    with open(out / "curves.csv", newline="") as file:
        return list(csv.DictReader(file))[-1]["weights"]


def step_of(out):
    """The checkpoint's step, 0 if there is none; fails if it is not whole."""
    from minicnn.train import checkpoints

    path = out / "last.checkpoint"
    return checkpoints.read(path)[1]["step"] if path.exists() else 0


def run_killed(recipe, out, seconds, kills, rng):
    """How often one run was killed, at most `kills` times, before it came to its end."""
    done = 0
    while done < kills:
        before = step_of(out)
        process = subprocess.Popen(command(recipe, out), stdout=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0, seconds))
            assert process.returncode == 0, f"it failed with {process.returncode} after {done} kills"
            return done
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        done += 1
        assert step_of(out) >= before, "a checkpoint went back"
        assert step_of(out) in (0, 7, 14) or step_of(out) % INTERVAL == 0, "a checkpoint at another step"
    subprocess.run(command(recipe, out), check=True, stdout=subprocess.DEVNULL)
    return done


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        recipe = folder / "tiny.toml"
        recipe.write_text(RECIPE)
        expected, seconds = run_whole(recipe, folder / "whole")
        kills = runs = 0
        while kills < args.kills:
            out = folder / f"run{runs}"
            kills += run_killed(recipe, out, seconds, args.kills - kills, rng)
            runs += 1
            assert last_weights(out) == expected, "a run that was killed ended elsewhere"
            assert not list(out.glob(".*.part")) or kills, "parts of files are left"
    print(json.dumps({"kills": kills, "runs": runs, "weights": expected}))


if __name__ == "__main__":
    main()
