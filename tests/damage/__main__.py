"""`make damage`: reads thousands of damaged files; 0 when only errors of ours came of it."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.damage.flips import run_flips

_FLIPS = 8800


def main(arguments: Sequence[str]) -> int:
    """Damage as many files as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog="make damage", description=__doc__)
    parser.add_argument("--flips", type=int, default=_FLIPS, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="for others (default %(default)s)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        tallies = run_flips(Path(directory), asked.flips, asked.seed, say)
    sites: Counter[str] = sum((each.foreign for each in tallies.values()), Counter())
    for site, times in sites.most_common():
        say(f"  {times} × {site}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    say(f"foreign exceptions: {sites.total()}; {peak_mib} MiB of memory at most")
    return 1 if sites else 0


def say(line: str) -> None:
    """Write a line of progress at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
