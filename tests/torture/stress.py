"""Runs the program that makes light spans under everything at once, in each of its forms."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_PROGRAM: Final = "tests.torture.light_spans"
_KINDS: Final = ("auto", "python")
_THREADS: Final = ["-m", _PROGRAM]
_GREENLETS: Final = ["-m", "gevent.monkey", "--module", _PROGRAM]
_SPARE_SECONDS: Final = 120.0
"""A program that takes so many seconds more than it was told to hangs."""


def stress(seconds: float, *, say: Callable[[str], object]) -> int:
    """Run each form for its part of the time; return 1 if something was wrong with one.

    Spans are in C or in Python, made in threads or in greenlets; half of the forms have `-X dev`.
    """
    faults = 0
    forms = list(itertools.product(_KINDS, (_THREADS, _GREENLETS)))
    for number, (kind, module) in enumerate(forms):
        options = ["-X", "faulthandler", *(["-X", "dev"] if number in {1, 2} else [])]
        arguments = [*options, *module, f"{seconds / len(forms)}", kind]
        fault, output = _run(arguments, seconds / len(forms) + _SPARE_SECONDS)
        say(f"{' '.join(arguments)}: {fault or 'well'}\n{output}")
        faults += bool(fault)
    return min(faults, 1)


def _run(arguments: Sequence[str], limit_seconds: float) -> tuple[str, str]:
    """Run a form of the program; return what was wrong, or nothing, and what it wrote.

    Incidents are told on its standard error, which is of interest only if something was wrong.
    """
    with tempfile.TemporaryDirectory(prefix="otel-flight-") as folder:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=_ROOT,
            env={
                **os.environ,
                "OTEL_FLIGHT_RING_DIRECTORY": f"{folder}/ring",
                "OTEL_FLIGHT_SPOOL_DIRECTORY": f"{folder}/spool",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        fault = ""
        try:
            output, errors = process.communicate(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            fault = "hangs"
            process.send_signal(signal.SIGABRT)  # faulthandler says where
            output, errors = process.communicate()
    if process.returncode and not fault:
        fault = f"exit code {process.returncode}"
    return fault, output + errors[-8000:] if fault else output
