"""Finds spans that have ended without this being told, as a signal handler raised within `end`.

Celery's soft time limit may come between the moment when a span takes its time and the one when the
processors are called. Nobody else will record such a span, and it would count as open for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_flight.ground.clock import monotonic_ns
from otel_flight.recording.open_spans import OpenSpans


class LostEnds:
    """Records such spans. For the ticker's thread.

    Args:
        open_spans: the spans that are open, as far as is known.
    """

    def __init__(self, open_spans: OpenSpans) -> None:
        self._open_spans = open_spans
        self._seen: dict[int, int] = {}

    def look(self, end: Callable[[Any, int], None]) -> None:
        """Record spans that had ended at the last look, and are open still.

        Another processor may only be slow to let ours know: then that is recognised as known.

        Args:
            end: records that a span ended, at a moment of the monotonic clock.
        """
        open_spans = dict(self._open_spans.spans)
        ended = {key: span for key, span in open_spans.items() if span.end_time is not None}
        seen, self._seen = self._seen, {}
        for key, span in ended.items():
            if key not in seen:
                self._seen[key] = monotonic_ns()
            elif self._open_spans.spans.get(key) is span:
                self._open_spans.told_late(key)
                end(span, seen[key])
