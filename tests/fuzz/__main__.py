"""`make fuzz`: feeds every reader of files what makes it go other ways, for a minute each.

Words narrow it down, such as `ring stacks`. An exception that is none of ours, more than a GiB of
memory, or more than 20 s for one input ends it; what was read then is kept below `build/fuzz`, and
`python -m tests.fuzz --one TARGET FILE` reads it again.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_KEPT: Final = Path("build/fuzz")
_LIMITS: Final = ("-rss_limit_mb=1024", "-timeout=20", "-max_len=65536", "-print_final_stats=1")


def main(arguments: Sequence[str]) -> int:
    """Fuzz what the arguments say, each target in a process of its own; return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each (default %(default)s)")
    parser.add_argument("--one", nargs=2, metavar=("TARGET", "FILE"), help="read a file once")
    parser.add_argument("--within", metavar="TARGET", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="targets; none: all")
    asked = parser.parse_args(arguments)
    if asked.within:
        atheris = importlib.import_module("atheris")  # has wheels for Linux, and some Pythons
        with atheris.instrument_imports(include=["otel_flight"]):
            module = importlib.import_module("tests.fuzz.targets")
    else:
        module = importlib.import_module("tests.fuzz.targets")
    with tempfile.TemporaryDirectory() as directory:
        known = module.targets(Path(directory))
        if asked.one:
            known[asked.one[0]].read(Path(asked.one[1]).read_bytes())
            return 0
        if asked.within:
            options = (
                f"-max_total_time={asked.seconds}",
                f"-artifact_prefix={_KEPT}/{asked.within}-",
            )
            kept = str(_KEPT / asked.within)
            atheris.Setup([sys.argv[0], *options, *_LIMITS, kept], known[asked.within].read)
            atheris.Fuzz()  # ends this process
        failed = []
        for name in asked.names or known:
            _KEPT.mkdir(parents=True, exist_ok=True)
            (_KEPT / name).mkdir(exist_ok=True)
            (_KEPT / name / "seed").write_bytes(known[name].seed)
            command = [sys.executable, "-m", "tests.fuzz", f"--seconds={asked.seconds}"]
            done = subprocess.run([*command, "--within", name], check=False)
            failed += [name] * bool(done.returncode)
    sys.stdout.write(f"failed: {', '.join(failed) or 'none'}\n")
    return min(len(failed), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
