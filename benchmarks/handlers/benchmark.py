"""What recording every span saves real handlers: Django, FastAPI and Celery, each with SQL."""

from __future__ import annotations

import tempfile
from typing import Any

from benchmarks.handlers.probe import COUNTED
from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Figure, Result
from benchmarks.measuring.paired_ratios import bootstrap, undisturbed_difference, undisturbed_ratio

HANDLERS = ("django_orm", "fastapi_sqlalchemy", "celery_task")
NAMES = (
    variants.BARE,
    variants.INSTALLED,
    variants.IN_PYTHON,
    variants.HEAVY,
    variants.BATCH,
    variants.BOTH,
)
_FULL = 3, 40, 50
_SMOKE = 1, 2, 2


def run(*, smoke: bool) -> Result:
    """Let processes of all variants work in turn, on each kind of handler."""
    processes, slices, units = _SMOKE if smoke else _FULL
    figures, notes = [], []
    for handler in HANDLERS:
        spans = _ask(handler=handler, variant=COUNTED, slices=0, units=0)["spans"]
        notes.append(f"{handler}: {spans} spans a request")
        measured: dict[str, list[float]] = {name: [] for name in variants.available(NAMES)}
        for _ in range(processes):
            for name in measured:
                answer = _ask(handler=handler, variant=name, slices=slices, units=units)
                measured[name] += answer["microseconds"]
        figures += _figures(handler, measured)
    return Result(benchmark="handlers", figures=figures, notes=notes)


def _ask(**configuration: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        configuration["directory"] = directory
        return child_process.run("benchmarks.handlers.probe", configuration, timeout_seconds=300)


def _figures(handler: str, measured: dict[str, list[float]]) -> list[Figure]:
    figures = []
    bare = measured[variants.BARE]
    for name, microseconds in measured.items():
        compared = [("CPU", "µs/request", bootstrap(microseconds))]
        if name != variants.BARE:
            compared += [
                ("CPU added", "µs/request", undisturbed_difference(microseconds, bare)),
                ("CPU to bare", "x", undisturbed_ratio(microseconds, bare)),
            ]
        figures += [
            Figure(quantity=f"{handler}: {quantity}", variant=name, unit=unit, **each._asdict())
            for quantity, unit, each in compared
        ]
    return figures
