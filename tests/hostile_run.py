"""`make hostile`: 2,000 bad files a format and more, and a table of what the readers did with them.

    python tests/hostile_run.py [files a format]

refused: with FormatError; read: still a net, or weights. Memory is what Python and NumPy ask for.
"""

import shutil
import sys
import tempfile
import warnings
from pathlib import Path

from hostile_bombs import BOMBS, bomb
from hostile_cases import CASES
from hostile_guard import Broken, Report, attack, check

_SEED, _BOMB = 7, 10_000


def main(count=2000):
    warnings.simplefilter("ignore")
    for case in CASES:
        check(case, _folder())
    broken = []
    print(f"{'format':<16}{'files':>8}{'refused':>9}{'read':>7}{'slowest':>11}{'peak memory':>14}")
    for name in dict.fromkeys(case.format for case in CASES):
        cases, total = [case for case in CASES if case.format == name], Report(0, 0, 0, 0.0, 0)
        share = -(-count // len(cases))
        for case, files in [(c, share) for c in cases] + [(bomb(name, b, _BOMB), 1) for b in BOMBS.get(name, ())]:
            folder = _folder()
            try:
                total += attack(case, files, _SEED, folder)
                shutil.rmtree(folder)
            except Broken as error:  # the file stays
                broken.append(str(error))
        row = f"{name:<16}{total.files:>8}{total.refused:>9}{total.read:>7}"
        print(f"{row}{total.slowest:>9.2f} s{total.peak / 1e6:>11.1f} MB", flush=True)
    print("\n".join(broken) or "FormatError and nothing else; no command run, no other file opened, nothing written")
    return bool(broken)


def _folder():
    return Path(tempfile.mkdtemp(prefix="hostile-"))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
