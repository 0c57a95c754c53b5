"""Call something when the next local root starts, at no cost for all the others."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet

from otel_flight.ground.guard import Guard
from otel_flight.recording.span_processor import RecordingSpanProcessor


class NextRoot:
    """Waits for the next local root.

    Each asks its processor's clock, so none has to look whether there is anything to call.

    Args:
        now_ns: the clock of the processors.
        guard: notes what fails.

    Attributes:
        processors: those that record.
    """

    def __init__(self, now_ns: Callable[[], int], guard: Guard) -> None:
        self._now_ns = now_ns
        self._guard = guard
        self.processors: WeakSet[RecordingSpanProcessor] = WeakSet()

    def calls(self, call: Callable[[], None]) -> None:
        """Let it call something, once for each processor, on the thread on which it starts.

        What was to be called until now is forgotten. The call must neither wait nor raise.
        """
        with self._guard.swallow("next root"):  # a processor may be added just now
            for each in self.processors:
                each._now_ns = self._clock_that_calls(each, call)

    def _clock_that_calls(
        self, processor: RecordingSpanProcessor, call: Callable[[], None]
    ) -> Callable[[], int]:
        now_ns = self._now_ns

        def first_ns() -> int:
            processor._now_ns = now_ns
            call()
            return now_ns()

        return first_ns
