"""What it costs a span that secrets are looked for in it, where there are none.

With and without it, in C and in Python, has processes of its own, in turn. Spans have eight
attributes, a third of them with values that did not come before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.paired_ratios import bootstrap, undisturbed_difference
from benchmarks.measuring.processor_time import microseconds_each
from benchmarks.measuring.span_work import SPANS_PER_TRACE, RequestWork
from benchmarks.measuring.variants import Surroundings

_TRACES: Final = 200
_FULL: Final = 5, 60
_SMOKE: Final = 1, 2
_BUDGET: Final = Budget(limit=0.15)


def run(*, smoke: bool) -> Result:
    """Measure spans with redaction and without."""
    processes, slices = _SMOKE if smoke else _FULL
    figures = []
    for variant, is_compiled in (("in C", True), ("in Python", False)):
        spans: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(processes):
            for redact in spans:
                spans[redact] += _ask(redact=redact, compiled=is_compiled, slices=slices)
        figures += [
            Figure(
                quantity="start + end",
                variant=f"{variant}, {'redacted' if redact else 'as they are'}",
                unit="µs/span",
                **bootstrap(measured)._asdict(),
            )
            for redact, measured in spans.items()
        ]
        figures.append(
            Figure(
                quantity="added by redaction",
                variant=variant,
                unit="µs/span",
                budget=_BUDGET if is_compiled else None,
                **undisturbed_difference(spans[True], spans[False])._asdict(),
            )
        )
    return Result(benchmark="redaction_cost", figures=figures)


def _ask(**configuration: Any) -> list[float]:
    with tempfile.TemporaryDirectory() as directory:
        configuration["directory"] = directory
        answer = child_process.run(__spec__.name, configuration, timeout_seconds=120)
    spans: list[float] = answer["spans"]
    return spans


def measure(*, directory: str, redact: bool, compiled: bool, slices: int) -> dict[str, Any]:
    """Return the microseconds a span of each slice."""
    provider = TracerProvider(shutdown_on_exit=False)
    settings = {"tick_seconds": 10, "metrics": False, "redact": redact, "compiled": compiled}
    variant = variants.open_variant(
        variants.INSTALLED, Surroundings(directory=Path(directory), settings=settings), provider
    )
    work = RequestWork(provider)
    each = microseconds_each(lambda: work.make_traces(_TRACES), _TRACES * SPANS_PER_TRACE, slices)
    variant.close()
    return {"spans": each}


if __name__ == "__main__":
    child_process.answer(measure)
