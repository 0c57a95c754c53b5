"""What a source of runtime events is given, with a real ring to write into, without a recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import Self

from otel_flight.assembly import Settings
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.guard import Guard
from otel_flight.incidents.window import Window, WindowEvent, WindowSegment
from otel_flight.recording.session import RecordingSession
from otel_flight.records.records import RuntimeEvent
from otel_flight.ring.layout import LANE_RUNTIME
from otel_flight.sources.base import SourceDescription, Surroundings


class SourceRig:
    """Surroundings for one source, and what it wrote.

    Args:
        directory: where the ring's file goes.
        clock: a fake one, if time is to stand still.
        **settings: as `Settings` takes them.

    Attributes:
        hooked: each event as triggers would see it, in the order they came.
    """

    def __init__(self, directory: Path, clock: Clock = SYSTEM_CLOCK, **settings: Any) -> None:
        self.guard = Guard()
        self.settings = Settings(ring_directory=str(directory), **settings)
        self.session = RecordingSession(self.settings)
        self.session.open_ring({"service": "rig"})
        assert self.session.ring is not None
        self.ring = self.session.ring
        self.hooked: list[RuntimeEvent] = []
        self.session.runtime.hooks = (self.hooked.append,)
        self.surroundings = Surroundings(
            settings=self.settings,
            events=self.session.runtime,
            open_spans=self.session.open_spans,
            guard=self.guard,
            clock=clock,
        )

    def build(self, description: SourceDescription) -> Any:
        """Return the source as a recorder with these settings has it."""
        source = description.build(self.settings, self.surroundings)
        assert source is not None
        return source

    def events(self) -> list[WindowEvent]:
        """Return what the ring holds, oldest first; what cannot be decoded fails the test."""
        self.session.drain()
        segments = [WindowSegment(each) for each in self.ring.image.segments(LANE_RUNTIME)]
        window = Window(segments)
        events = list(window.events())
        assert window.undecoded == 0
        return events

    def close(self) -> None:
        """Remove the ring; nothing may have been swallowed."""
        self.session.close()
        assert self.guard.errors() == ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
