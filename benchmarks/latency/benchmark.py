"""How often limits fire that are learned, and how often one that is fixed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.latency.day import HOURS, recorded_day
from benchmarks.latency.made import SERIES
from benchmarks.latency.published import published
from benchmarks.latency.requests import in_hindsight
from benchmarks.latency.watching import watch
from benchmarks.measuring.figures import Result

_SMOKE_REQUESTS: Final = 2000
_SECONDS_AN_HOUR: Final = 20.0
_PUBLISHED: Final = Path(__file__).parents[2] / "build" / "Nezha"


def run_made(*, smoke: bool) -> Result:
    """Let both kinds of limit watch the series that are made."""
    figures = [
        figure
        for series in SERIES
        for figure in watch(series.name, islice(series, _SMOKE_REQUESTS if smoke else None))
    ]
    return Result(benchmark="learned_latency", figures=figures)


def run_recorded(*, smoke: bool) -> Result:
    """Record a day of a real service, and let them watch that, and what others have recorded."""
    hours, seconds = (3, 1.0) if smoke else (HOURS, _SECONDS_AN_HOUR)
    requests, faults = recorded_day(hours, seconds)
    figures = watch("a day of a service", in_hindsight(requests, faults))
    notes = [f"{len(requests)} requests of a day of which {seconds:g} s an hour were recorded"]
    if not _PUBLISHED.exists():
        notes.append(f"git clone https://github.com/IntelligentDDS/Nezha {_PUBLISHED}: see there")
    elif not smoke:
        for title, others, their_faults in published(_PUBLISHED):
            figures += watch(title, in_hindsight(others, their_faults))
            notes.append(f"{title}: {len(others)} requests")
    return Result(benchmark="recorded_latency", figures=figures, notes=notes)
