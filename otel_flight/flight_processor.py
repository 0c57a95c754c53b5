"""The span processor that an application registers, alone or through `install()`."""

from __future__ import annotations

from otel_flight.recorder import FlightRecorder
from otel_flight.recording.span_processor import RecordingSpanProcessor


class FlightSpanProcessor(RecordingSpanProcessor):
    """The span processor that feeds a recorder. Register it before or after exporting processors.

    Spans that the sampler drops never reach a span processor: wrap the provider's sampler in
    `FlightSampler`, or use `install()`, which does.

    Args:
        recorder: which recorder to feed; with its first span it starts, if it has not. None: a new
            one, with settings from the environment, that stops when the provider is shut down.
    """

    def __init__(self, recorder: FlightRecorder | None = None) -> None:
        self.recorder: FlightRecorder = FlightRecorder() if recorder is None else recorder
        super().__init__(self.recorder._runs.first_spans, self.recorder._runs.guard)
        self.recorder.connect(self)

    def shutdown(self) -> None:
        """Stop the recorder, unless another provider feeds it: finish or spool what is open."""
        self.recorder.disconnect(self)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Close the incident that is open, without its tail, and deliver it.

        For a process that is frozen or killed without a word, such as a function that has answered.
        Takes a millisecond where there is none. Any thread, signal handlers included.

        Args:
            timeout_millis: how long it may take.

        Returns:
            Whether all incidents of this process are delivered, or in the spool where nothing is
            sent; False also when that failed, and when it is called within a hook of ours.
        """
        return self.recorder._runs.flush(timeout_millis / 1000)
