"""What the sources of runtime events cost a real service: each alone, and all the default ones.

The service is that of the benchmark `service`, compared here with the recorder whose sources are
all off, in a process that is well: nothing is slow, so that what is paid is for being ready.
Raised exceptions, which are off by default and need Python 3.12, are measured where that runs.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from benchmarks.measuring import cores, variants
from benchmarks.measuring.figures import Budget, Result
from benchmarks.measuring.load_generator import LoadGenerator
from benchmarks.services.measured_service import start_service
from benchmarks.services.service_slices import CONNECTIONS, Size, measure_slices, slice_figures

NONE = "no source"
ALL = "all sources"
OFF: Mapping[str, Mapping[str, Any]] = {
    "gc": {"gc_pause_seconds": None, "gc_pause_trigger_seconds": None},
    "event_loop": {"loop_stall_seconds": None, "loop_stall_trigger_seconds": None},
    "stacks": {"stacks_after_seconds": None},
    "descheduling": {"descheduled_seconds": None},
    "logs": {"log_level": None},
    "exceptions": {"exceptions": False},
    "process": {"process_seconds": None, "memory_trigger_share": None},
    "throttling": {"throttling": False, "throttling_trigger_share": None},
    "last_stacks": {"crash_stacks": False, "hang_seconds": None},
}
"""How each source is turned off."""
ON: Mapping[str, Mapping[str, Any]] = (
    {"raised_exceptions": {"raised_exceptions": True}} if sys.version_info >= (3, 12) else {}
)
"""How each of those is turned on that are off by default."""

_BUDGETS = {("throughput", ALL): Budget(limit=0.98, is_floor=True)}
_FULL = Size(processes=3, rounds=12, slice_seconds=0.75)
_SMOKE = Size(processes=1, rounds=1, slice_seconds=0.2)


def run(*, smoke: bool) -> Result:
    """Measure the service with no source, with each one, and with all that are on by default."""
    size = _SMOKE if smoke else _FULL
    if not variants.has_recorder():
        return Result(benchmark="sources", figures=(), notes=["otel_flight cannot be used here"])
    _check_that_all_are_off()
    with ExitStack() as stack:
        generator = stack.enter_context(LoadGenerator())
        servers = {
            name: [
                start_service(variants.INSTALLED, None, stack, settings=dict(settings))
                for _ in range(size.processes)
            ]
            for name, settings in _settings().items()
        }
        for server in itertools.chain(*servers.values()):
            server.wait_until_ready()
        slices = measure_slices(servers, generator, size)
    notes = [f"{CONNECTIONS} connections", str(size)]
    if not cores.are_separate():
        notes.append("one core only: the load generator competed with the service")
    figures = slice_figures(slices, NONE, _BUDGETS, "to no source")
    return Result(benchmark="sources", figures=figures, notes=notes)


def _settings() -> dict[str, Mapping[str, Any]]:
    """Return the settings of each variant."""
    return {
        NONE: _off(),
        **{name: _off(all_but=name) for name in OFF},
        **{name: {**_off(), **settings} for name, settings in ON.items()},
        ALL: {},
    }


def _off(all_but: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, settings in OFF.items():
        found |= settings if name != all_but else {}
    return found


def _check_that_all_are_off() -> None:
    """Fail when there is a source that this benchmark does not know how to turn off."""
    sources = importlib.import_module("otel_flight.assembly").SOURCES
    build = importlib.import_module("otel_flight.sources.base").build_sources
    rig_class = importlib.import_module("tests.support.rigs.source_rig").SourceRig
    with tempfile.TemporaryDirectory() as directory, rig_class(directory, **_off()) as rig:
        left = [source.name for source in build(sources, rig.settings, rig.surroundings)]
    if left:
        message = f"the benchmark `sources` does not know how to turn off {', '.join(left)}"
        raise RuntimeError(message)
