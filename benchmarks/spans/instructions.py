"""How many machine instructions keeping a span takes: what repeats where times do not.

Each variant runs under valgrind's callgrind twice, making few traces and more of them; the
difference is theirs alone, without the interpreter's start. Ratios of one run are compared with
the ones this file knows: CI fails when a hot path has grown by a twentieth.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.span_work import SPANS_PER_TRACE, SpanWork

_BARE: Final = "bare SDK"
_VARIANTS: Final[dict[str, tuple[str, dict[str, Any], float]]] = {
    _BARE: (variants.BARE, {}, 1.0),
    "processor": (variants.OURS, {}, 1.073),
    "processor, not compiled": (variants.OURS, {"compiled": False}, 1.197),
    "light": (variants.INSTALLED, {}, 0.084),
    "light, in Python": (variants.INSTALLED, {"light_spans": "python"}, 0.228),
    "light, not compiled": (variants.INSTALLED, {"compiled": False}, 0.349),
}
"""The variant, its settings, and its ratio to the bare SDK when it was measured last."""
_MEASURED_WITH: Final = (3, 11)
"""The ratios are those of this CPython; with another one they are shown and not compared."""
_GROWTH: Final = 1.05
_TIMES_IN_DOUBT: Final = 3
"""What has grown too much is counted so often: threads of the recorder do more on a busy machine
before they are paused."""
_FEW, _MORE = 40, 740
_LONGEST_PAUSE_SECONDS: Final = 60.0
_COLLECTED: Final = re.compile(rb"Collected : (\d+)")
_LEAVE: Final = os._exit
"""It ends a process at once: a recorder stands in the place of `os._exit`."""
_QUIET: Final = {"tick_seconds": 10, "metrics": False}


def run(*, smoke: bool) -> Result:
    """Count for all variants and compare each with the bare SDK."""
    if shutil.which("valgrind") is None:
        return Result(benchmark="instructions", figures=[], notes=["valgrind is not installed"])
    few, more = (1, 2) if smoke else (_FEW, _MORE)
    is_compared = not smoke and sys.version_info[:2] == _MEASURED_WITH
    counts: dict[str, float] = {}
    for name, (_, _, ratio) in _VARIANTS.items():
        counts[name] = _count_span(name, few, more, times=1)
        if is_compared and counts[name] > ratio * _GROWTH * counts[_BARE]:
            counts[name] = _count_span(name, few, more, times=_TIMES_IN_DOUBT)
    bare = counts[_BARE]
    figures = [
        Figure(quantity="start + end", variant=name, unit="instructions/span", value=round(count))
        for name, count in counts.items()
    ]
    figures += [
        Figure(
            quantity="ratio",
            variant=name,
            unit="x",
            value=counts[name] / bare,
            budget=Budget(limit=round(ratio * _GROWTH, 3)) if is_compared else None,
        )
        for name, (_, _, ratio) in _VARIANTS.items()
        if name != _BARE
    ]
    return Result(benchmark="instructions", figures=figures)


def _count_span(name: str, few: int, more: int, *, times: int) -> float:
    """Return how many instructions a span takes, by the least of so many counts."""
    least_few, least_more = (
        min(_count(name, traces) for _ in range(times)) for traces in (few, more)
    )
    return (least_more - least_few) / ((more - few) * SPANS_PER_TRACE)


def _count(name: str, traces: int) -> int:
    """Return how many instructions a process executes that makes so many traces."""
    variant, settings, _ = _VARIANTS[name]
    configuration = {"variant": variant, "settings": _QUIET | settings, "traces": traces}
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            sys.executable,
            "-m",
            "benchmarks.spans.instructions",
            json.dumps(configuration),
        ],
        cwd=child_process.REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        timeout=600,
        check=False,
    )
    found = _COLLECTED.search(done.stderr)
    if found is None or done.returncode != 0:
        message = f"callgrind counted nothing: {done.stderr[-2000:].decode(errors='replace')}"
        raise RuntimeError(message)
    return int(found[1])


def make_traces(variant: str, settings: dict[str, Any], traces: int) -> None:
    """Make traces and end at once: the end of a recorder has no part in it."""
    gc.disable()
    provider = TracerProvider(shutdown_on_exit=False)
    directory = tempfile.mkdtemp()
    surroundings = variants.Surroundings(directory=Path(directory), settings=settings)
    opened = variants.open_variant(variant, surroundings, provider)
    work = SpanWork(provider)
    work.make_traces(5)  # with the first span the recording begins
    recorder: Any = getattr(opened, "_recorder", None)
    if recorder is not None:  # on a busy machine its threads would do more meanwhile
        recorder._run.pause_threads(_LONGEST_PAUSE_SECONDS)
    work.make_traces(traces)
    sys.stdout.flush()
    shutil.rmtree(directory, ignore_errors=True)  # a thread of the recorder may write into it
    _LEAVE(0)


if __name__ == "__main__":
    make_traces(**json.loads(sys.argv[1]))
