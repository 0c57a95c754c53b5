"""The span processors that record for one recorder: one for each tracer provider."""

from __future__ import annotations

import weakref

from otel_flight.recording.span_processor import RecordingSpanProcessor


class ConnectedProcessors(weakref.WeakSet[RecordingSpanProcessor]):
    """They are held weakly: a provider that nobody has any more takes its own with it."""

    def are_only(self, processor: RecordingSpanProcessor) -> bool:
        """Return whether there is no other one."""
        return not set(self) - {processor}

    def connect(self) -> None:
        """Let all note what spans do."""
        for processor in list(self):
            processor.connect()

    def disconnect(self) -> None:
        """Let all ignore spans."""
        for processor in list(self):
            processor.disconnect()

    def pipelines(self) -> list[object]:
        """Return the SDK's objects that call them; None where that is not known yet."""
        return [processor.pipeline for processor in list(self)]
