"""Errors below local roots that are open: how bad they are shows when the local root ends.

One that fails its local root is told by the firing of that: on call one thinks in requests. One
that its local root survived is the least of what there is. It is told when the root ends, or after
two seconds, as the root may hang.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_flight.ground.clock import Clock
from otel_flight.recording.open_spans import OpenRoot, OpenSpans
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.outcomes.answers import Answer, answer_of

_LONGEST_WAIT_NS: Final = 2_000_000_000
"""An error waits at most this many nanoseconds for the end of its local root."""
_MOST_ROOTS: Final = 1024
"""Errors wait for at most this many local roots; those of further ones are told at once."""
_MOST_PER_ROOT: Final = 8
"""Of one local root at most this many errors wait, the last ones."""


class ErrorsBelowRoots:
    """Firings that wait for their local roots. No lock: every step is one dict operation.

    Args:
        open_spans: where the local roots are.
        inbox: where firings go in the end.
        clock: by which they wait.
    """

    def __init__(self, open_spans: OpenSpans, inbox: FiringInbox, clock: Clock) -> None:
        self._open_spans = open_spans
        self._inbox = inbox
        self._clock = clock
        self._waiting: dict[int, tuple[int, deque[Firing]]] = {}

    def add(self, root_id: int, firing: Firing) -> None:
        """Let a firing wait for the end of an open local root. Any thread."""
        if len(self._waiting) >= _MOST_ROOTS:
            self._inbox.offer(_survived(firing))
            return
        until_ns = self._clock.monotonic_ns() + _LONGEST_WAIT_NS
        firings: deque[Firing] = deque(maxlen=_MOST_PER_ROOT)
        self._waiting.setdefault(root_id, (until_ns, firings))[1].append(firing)

    def take(self, root_id: int) -> list[Firing]:
        """Return what waits for a local root, the first one first; it is told no more."""
        _, firings = self._waiting.pop(root_id, (0, ()))
        return list(firings)

    def root_ended(self, span: ReadableSpan, _root: OpenRoot | None) -> None:
        """Tell what waited for a local root that ended and did not fire itself."""
        waiting = self._waiting
        context = span.get_span_context() if waiting else None
        if context is None or context.span_id not in waiting:
            return
        has_failed = span.status.status_code is StatusCode.ERROR
        was_refused = answer_of(span.attributes) is Answer.REFUSED
        for firing in self.take(context.span_id):
            # What a request was refused for was expected, by whoever wrote the answer.
            if not was_refused:
                self._inbox.offer(firing if has_failed else _survived(firing))

    def watch(self) -> None:
        """Tell what has waited for long, or for a root that is not open any more. Ticker only."""
        now = self._clock.monotonic_ns()
        for root_id, (until_ns, _) in list(self._waiting.items()):
            if now >= until_ns or root_id not in self._open_spans.roots:
                self._give_up(root_id)

    def settle(self) -> None:
        """Tell all that waits."""
        for root_id in list(self._waiting):
            self._give_up(root_id)

    def _give_up(self, root_id: int) -> None:
        for firing in self.take(root_id):
            self._inbox.offer(_survived(firing))


def _survived(firing: Firing) -> Firing:
    return replace(firing, severity=Severity.SURVIVED)
