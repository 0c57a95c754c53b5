"""What the runs of a recorder are made of, imported and found when the first of them is made.

Importing it takes two hundred milliseconds, for which a process that makes no span has no use.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from otel_flight.ground.clock import Clock
from otel_flight.ground.guard import Guard
from otel_flight.running.requirements import check_requirements
from otel_flight.settings.asked import AskedSettings
from otel_flight.settings.fields import CoreSettings
from otel_flight.settings.sources import SettingsInForce, warn_once

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from otel_flight.assembly import Assembly, Settings
    from otel_flight.incidents.incident import Incident
    from otel_flight.running.run import Run
    from otel_flight.running.self_metrics import SelfMetrics
    from otel_flight.running.statistics import Statistics


_NOT_ON_LINUX: Final = (
    "this is not Linux: memory, CPU time of threads, throttling, pressure and who held the GIL are "
    "not recorded here, see the reference page on limits"
)
"""This is the one warning of a recorder on another system, where spans are recorded as on Linux."""


@dataclass(frozen=True)
class RecorderParts:
    """What a recorder is given besides its settings; see `FlightRecorder`.

    Attributes:
        statistics: refers to the method that the recorder's own metrics are read by.
    """

    service_name: str
    exporter: SpanExporter | None
    clock: Clock
    assembly: Assembly | None
    statistics: weakref.WeakMethod[Callable[[], Statistics]]


class RunFactory:
    """Makes the runs of one recorder.

    Args:
        settings: in force, or asked for; what is wrong with arguments is raised at once.
        parts: what else each run is made of.
        guard: notes what fails.

    Attributes:
        asked: the settings as they were asked for.
        core: the settings that every recorder has.
        clock: what time it is.
    """

    def __init__(
        self,
        settings: SettingsInForce[Settings] | AskedSettings,
        parts: RecorderParts,
        guard: Guard,
    ) -> None:
        self._in_force: SettingsInForce[Settings] | None = None
        if isinstance(settings, SettingsInForce):
            self._in_force = settings
            settings = AskedSettings(settings.settings)
        self.asked = settings
        self._parts = parts
        self._guard = guard
        self._self_metrics: SelfMetrics | None = None
        self.clock = parts.clock
        core = None if self._in_force or parts.assembly else settings.find_core()
        warn_once((core or self.in_force).problems)
        if sys.platform != "linux":
            warn_once([_NOT_ON_LINUX])
        self.core: CoreSettings = (core or self.in_force).settings

    @property
    def handles_signal(self) -> bool:
        """Whether a signal is to be handled, from now on, by the main thread."""
        return self.asked.mentions("signal")

    @property
    def in_force(self) -> SettingsInForce[Settings]:
        """All settings, and where each comes from; found when this is asked for first."""
        if self._in_force is None:
            self._in_force = self.asked.find(self._assembly().settings)
            warn_once(self._in_force.problems)
        return self._in_force

    def make(
        self,
        pipelines: Callable[[], Iterable[object]],
        replay_late: Callable[[], None],
    ) -> Run:
        """Return a new run; see there."""
        from otel_flight.running.run import Run

        if self.core.metrics and self._self_metrics is None:
            from otel_flight.running.self_metrics import SelfMetrics

            self._self_metrics = SelfMetrics(self._parts.statistics)
        return Run(
            settings=self.in_force.settings,
            service_name=self._parts.service_name,
            clock=self._parts.clock,
            guard=self._guard,
            assembly=self._assembly(),
            exporter=self._parts.exporter,
            pipelines=pipelines,
            replay_late=replay_late,
        )

    def prepare(self) -> None:
        """Import all that runs need, if the process allows it; raises as `check_requirements`."""
        check_requirements()
        self.load()

    def load(self) -> None:
        """Import all that runs need."""
        from otel_flight.running.run import Run

        with self._guard.swallow("import"):
            Run.import_exporters(self.in_force.settings)

    def write(self, incident: Incident, target: str | os.PathLike[str] | BinaryIO) -> None:
        """Write an incident to a path or a stream; see `FlightRecorder.write_to`."""
        from otel_flight.incidents.flight_file import write_to

        write_to(incident, target)

    def no_statistics(self) -> Statistics:
        """Return the totals of no run at all."""
        from otel_flight.running.statistics import Statistics

        return Statistics()

    def _assembly(self) -> Assembly:
        from otel_flight.assembly import ASSEMBLY

        return self._parts.assembly or ASSEMBLY
