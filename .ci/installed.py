"""Checks an installed minicnn: the wheel left nothing out, and it starts quickly. Run it outside the checkout."""

import statistics
import subprocess
import sys
import time
from importlib.metadata import files
from pathlib import Path

RUNS = 5
LIMITS = {"help": 0.3, "import": 0.2}  # seconds


def seconds(command):
    """The median over some runs; the first, which compiles the bytecode, does not count."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main():
    installed = {str(file) for file in files("minicnn")}
    wanted = ["py.typed", "assets/mnist-lenet.safetensors", "kernels/contract.py", "kernels/numba_cpu/conv.py"]
    wanted += ["layers/conv2d.py", "vis/rules.py", "benchmarks/__init__.py", "cli/commands/models/list.py"]
    missing = [name for name in wanted if f"minicnn/{name}" not in installed]
    if missing:
        sys.exit(f"not in the wheel: {', '.join(missing)}")

    from minicnn.cli.lookup import every

    program = str(Path(sys.executable).with_name("minicnn"))
    figures = {"import minicnn": (seconds([sys.executable, "-c", "import minicnn"]), LIMITS["import"])}
    for words in ([], *every()):
        figures[" ".join(["minicnn", *words, "--help"])] = (seconds([program, *words, "--help"]), LIMITS["help"])
    for what, (took, limit) in figures.items():
        print(f"{took:6.3f} s  of {limit} s  {what}{'' if took < limit else '   TOO SLOW'}")
    if any(took >= limit for took, limit in figures.values()):
        sys.exit("too slow to start")


if __name__ == "__main__":
    main()
