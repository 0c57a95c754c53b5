"""`make hunt`: runs one program after the other; the exit code is how many failed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPARE_SECONDS = 60
"""A program that takes so many seconds more than it was told to hangs."""


def main() -> int:
    """Hunt for some minutes."""
    parser = argparse.ArgumentParser(prog="make hunt", description="Look for crashes.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=15.0, help="of one program")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first one")
    parser.add_argument("--reader", choices=["compiled", "pure", "both"], default="both")
    parser.add_argument(
        "--dev", action="store_true", help="-X dev in all programs, not every other"
    )
    parser.add_argument("--workload", action="append", default=[], help="repeatable; not by chance")
    parser.add_argument("--plain", action="store_true", help="without a recorder")
    parser.add_argument("--python", default=sys.executable, help="another interpreter")
    options = parser.parse_args()
    readers = ["compiled", "pure"] if options.reader == "both" else [options.reader]
    end = time.monotonic() + options.minutes * 60
    seconds = min(options.seconds, options.minutes * 60 / len(readers))
    results: Counter[str] = Counter()
    seed = options.seed
    while time.monotonic() < end - seconds / 2:
        for reader in readers:
            command = [options.python, "-X", "dev", "-m", "tests.hunt.program"]
            if seed % 2 and not options.dev:
                command[1:3] = []
            command += [str(seconds), str(seed), reader, *(["plain"] if options.plain else [])]
            command += options.workload
            result, output = run(command, seconds)
            results[result] += 1
            say(f"{result}: {' '.join(command[1:])}")
            if result != "survived":
                say(output)
        seed += 1
    say(f"{dict(results)}")
    return min(100, results.total() - results["survived"])


def run(command: list[str], seconds: float) -> tuple[str, str]:
    """Run a program; return in a word how it ended, and what it wrote."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "OTEL_FLIGHT_RING_DIRECTORY": f"{directory}/ring",
            "OTEL_FLIGHT_SPOOL_DIRECTORY": f"{directory}/spool",
            "PYTHONPATH": str(ROOT),
        }
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            output, _ = process.communicate(timeout=seconds + SPARE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return "hung", output[-8000:]
    if process.returncode < 0:
        return f"killed by signal {-process.returncode}", output[-8000:]
    is_whole = process.returncode == 0 and "survived" in output
    return "survived" if is_whole else f"failed with {process.returncode}", output[-8000:]


def say(line: str) -> None:
    """Write a line of progress at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
