"""Adding a source or a trigger is a file that describes itself, and a line in the assembly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from otel_flight.assembly import ASSEMBLY, SOURCES, TRIGGERS, Settings
from otel_flight.flight_processor import FlightSpanProcessor
from otel_flight.incidents.flight_file import read_incident
from otel_flight.names import source_names, trigger_names
from otel_flight.recorder import FlightRecorder
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field, settings_in
from otel_flight.settings.sources import find_settings
from otel_flight.sources.base import SourceDescription, Surroundings
from otel_flight.triggers.base import OTHER, Hooks, TriggerContext, TriggerDescription
from otel_flight.triggers.gate.firing import Firing

DOCS = Path(__file__).parents[2] / "docs"
DESCRIPTIONS = (*SOURCES, *TRIGGERS)


@dataclass(frozen=True, kw_only=True)
class LongNameSettings(SettingsGroup):
    """The setting of a trigger that is not among the package's own."""

    long_name_limit: int | None = setting_field("LONG_NAME", None, kinds.or_off(kinds.count(1, 99)))
    """From how many characters on a span's name makes an incident."""


def _build_trigger(settings: LongNameSettings, context: TriggerContext) -> Hooks | None:
    limit = settings.long_name_limit
    if limit is None:
        return None

    def root_ended(span: ReadableSpan, _root: OpenRoot | None) -> None:
        if len(span.name) >= limit:
            context.inbox.offer(Firing("long_name", "long name", span.name, (span.name,), 1))

    return Hooks(root_ended=root_ended)


TRIGGER = TriggerDescription(
    name="long_name", about=OTHER, settings=LongNameSettings, build=_build_trigger, docs=""
)


class StartSource:
    """Records an event when it starts."""

    name = "starts"

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def start(self) -> None:
        """Record it."""
        now_ns = self._surroundings.clock.wall_ns()
        self._surroundings.events.record(RuntimeEvent(self.name, "started", now_ns, now_ns))

    def stop(self) -> None:
        """Remove nothing."""

    def tick(self) -> None:
        """Record nothing more."""


SOURCE = SourceDescription(
    name="starts",
    settings=SettingsGroup,
    build=lambda _settings, surroundings: StartSource(surroundings),
    lane="starts",
    docs="",
)


@dataclass(frozen=True, kw_only=True)
class MoreSettings(Settings, LongNameSettings):
    """The package's settings and those of one trigger more."""


WITH_MORE = replace(
    ASSEMBLY, settings=MoreSettings, sources=(*SOURCES, SOURCE), triggers=(*TRIGGERS, TRIGGER)
)


def test_a_trigger_and_a_source_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed in the assembly, they have their variable, record and fire as the others do."""
    monkeypatch.setenv("OTEL_FLIGHT_LONG_NAME", "20")
    recorder = FlightRecorder(
        assembly=WITH_MORE,
        ring_directory=tmp_path,
        spool_directory=tmp_path,
        tail_seconds=0,
        tick_seconds=0.01,
        export="off",
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(FlightSpanProcessor(recorder))

    provider.get_tracer("test").start_span("GET /a/very/long/name").end()
    provider.get_tracer("test").start_span("GET /short").end()
    recorder.stop()

    (incident,) = map(read_incident, tmp_path.glob("*.flight"))
    assert [cause.trigger for cause in incident.manifest.causes] == ["long_name"]
    assert "starts" in {event.record.source for event in incident.window.events()}
    assert recorder.in_force.origins["long_name_limit"] == "environment OTEL_FLIGHT_LONG_NAME"


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda each: f"{each.name}")
def test_a_description_is_complete(description: Any) -> None:
    """Its settings are among all settings, its page is in the documentation, its name is known."""
    names = source_names if description in SOURCES else trigger_names

    assert issubclass(Settings, description.settings)
    assert (DOCS / description.docs).is_file()
    assert description.name in vars(names).values()


def test_names_are_unique() -> None:
    """No two sources, and no two triggers, have a name in common, nor two settings a variable."""
    variables = [setting.variable for setting in settings_in(Settings)]

    assert len({each.name for each in SOURCES}) == len(SOURCES)
    assert len({each.name for each in TRIGGERS}) == len(TRIGGERS)
    assert len(set(variables)) == len(variables)


def test_every_trigger_can_be_turned_off() -> None:
    """With its settings at `off` or false, a trigger asks for nothing."""
    off: dict[str, Any] = {
        setting.name: next(value for value in ("off", False, None) if _can_be(setting, value))
        for description in TRIGGERS
        for setting in settings_in(description.settings)
        if any(_can_be(setting, value) for value in ("off", False, None))
    }
    settings = find_settings(Settings, arguments=off, environment={}).settings

    on = [each.name for each in TRIGGERS if each.build(settings, _no_context()) is not None]

    assert on == []


def _no_context() -> Any:
    """Return what a trigger that is off never looks at."""
    return None


def _can_be(setting: Any, value: object) -> bool:
    try:
        setting.read(value)
    except ValueError:
        return False
    return True
