"""What it costs a local root that limits are learned, beside a fixed limit and none at all.

Each has processes of its own, in turn, which make 2000 roots of twenty names at a time with the
collector off. CPU time is told, and that of learning, on another thread, apart.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.paired_ratios import bootstrap, undisturbed_difference
from benchmarks.measuring.processor_time import microseconds_each
from benchmarks.measuring.variants import Surroundings
from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.triggers.latency.learned import LearnedLimits

_LIMITS: Final[dict[str, dict[str, Any]]] = {
    "learned": {},
    "fixed, 1 s": {"slow_root_seconds": 1.0},
    "none": {"slow_root_seconds": None},
}
_NAMES: Final = tuple(f"GET /shop/{word}/{{id}}" for word in "abcdefghijklmnopqrst")
_ROOTS: Final = 2000
_FULL: Final = 5, 60
_SMOKE: Final = 1, 2
_BUDGET: Final = Budget(limit=0.3)


def run(*, smoke: bool) -> Result:
    """Measure roots with each kind of limit."""
    processes, slices = _SMOKE if smoke else _FULL
    roots: dict[str, list[float]] = {name: [] for name in _LIMITS}
    learned: list[float] = []
    for _ in range(processes):
        for name, settings in _LIMITS.items():
            answer = _ask(settings=settings, slices=slices)
            roots[name] += answer["roots"]
            learned += answer["learned"]
    figures = [
        Figure(
            quantity="start + end", variant=name, unit="µs/root", **bootstrap(measured)._asdict()
        )
        for name, measured in roots.items()
    ]
    for other in ("fixed, 1 s", "none"):
        added = undisturbed_difference(roots["learned"], roots[other])
        figures.append(
            Figure(
                quantity="added by learning",
                variant=f"to: {other}",
                unit="µs/root",
                budget=_BUDGET if other != "none" else None,
                **added._asdict(),
            )
        )
    background = bootstrap(learned)._asdict()
    figures.append(
        Figure(quantity="learning it, later", variant="learned", unit="µs/root", **background)
    )
    return Result(benchmark="root_cost", figures=figures)


def _ask(**configuration: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        configuration["directory"] = directory
        return child_process.run("benchmarks.spans.root_cost", configuration, timeout_seconds=120)


def measure(*, directory: str, settings: dict[str, Any], slices: int) -> dict[str, Any]:
    """Return the microseconds a root of each slice, and those that learning of it takes."""
    provider = TracerProvider(shutdown_on_exit=False)
    quiet = {"tick_seconds": 10, "metrics": False}
    variant = variants.open_variant(
        variants.INSTALLED,
        Surroundings(directory=Path(directory), settings=quiet | settings),
        provider,
    )
    tracer = provider.get_tracer("shop")
    limits = LearnedLimits(SYSTEM_CLOCK)

    def make_roots() -> None:
        for number in range(_ROOTS):
            tracer.start_span(_NAMES[number % len(_NAMES)], kind=SpanKind.SERVER).end()

    def learn() -> None:
        for _ in range(2):  # so many fit into what waits
            for number in range(_ROOTS // 2):
                limits.note((_NAMES[number % len(_NAMES)], 40_000_000 + number))
            limits.learn()

    answer = {
        "roots": microseconds_each(make_roots, _ROOTS, slices),
        "learned": microseconds_each(learn, _ROOTS, slices),
    }
    variant.close()
    return answer


if __name__ == "__main__":
    child_process.answer(measure)
