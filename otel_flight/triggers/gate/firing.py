"""What a trigger says when it fires, and the bounded box through which it says it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final

from otel_flight.records.sanitize import Sanitizer, as_text
from otel_flight.records.shorten import Shortener
from otel_flight.redaction.redactor import Redactor
from otel_flight.triggers.gate.severity import Severity

_LONGEST_TEXT: Final = 2048
MAX_WAITING: Final = 64
"""At most this many firings wait for the ticker; more are counted and lost."""


@dataclass(frozen=True)
class Firing:
    """A trigger's claim that something is wrong now.

    Attributes:
        trigger: name of the trigger.
        reason: what went wrong in a few words, of low cardinality.
        subject: what it happened to: a span's name, or empty.
        fingerprint: what makes this cause the same as another; cooldown goes by it.
        time_ns: when, wall clock.
        trace_id: of the span it belongs to; 0: none.
        span_id: of the span it belongs to; 0: none.
        attributes: more about it, to be shown.
        origin: the name of the span below the subject in which it happened; empty: the subject.
        severity: how bad it is, compared with others.
    """

    trigger: str
    reason: str
    subject: str
    fingerprint: tuple[str, ...]
    time_ns: int
    trace_id: int = 0
    span_id: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    origin: str = ""
    severity: Severity = Severity.OTHER

    @property
    def title(self) -> str:
        """`<reason> <subject>`, and in which span below it, of low cardinality."""
        return titled(self.reason, self.subject, self.origin)

    def cleaned(self) -> Firing:
        """Return the firing as a file can hold it: short, and of nothing but JSON's types.

        It may come from anywhere: an exception's message with half a character in it, a program's
        own objects, a span whose times are floats.
        """
        attributes = Sanitizer().clean(self.attributes)
        return replace(
            self,
            reason=_text(self.reason),
            subject=_text(self.subject),
            origin=_text(self.origin),
            time_ns=_whole(self.time_ns),
            attributes=Shortener().shorten_value(attributes, _LONGEST_TEXT),
        )

    def without_secrets(self, redactor: Redactor | None) -> Firing:
        """Return the firing, which was cleaned, without secrets in its texts; None: they stay."""
        if redactor is None:
            return self
        return replace(
            self,
            fingerprint=tuple(map(redactor.text, map(as_text, self.fingerprint))),
            reason=redactor.text(self.reason),
            subject=redactor.text(self.subject),
            origin=redactor.text(self.origin),
            attributes=redactor.value(self.attributes),
        )


def titled(reason: str, subject: str, origin: str) -> str:
    """Return what a cause is called."""
    where = f" (in {origin})" if origin else ""
    return f"{reason} {subject}".strip() + where


class FiringInbox:
    """Firings on their way from any thread, or a signal handler, to the ticker.

    No lock: a deque and a set, whose single operations are atomic. The same cause waits only once.
    """

    def __init__(self) -> None:
        self._waiting: deque[Firing] = deque()
        self._fingerprints: set[tuple[str, ...]] = set()
        self.repeated = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, firing: Firing) -> None:
        """Leave a firing for the ticker. Never waits, never raises."""
        if firing.fingerprint in self._fingerprints:
            self.repeated += 1
        elif len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
        else:
            self._fingerprints.add(firing.fingerprint)
            self._waiting.append(firing)

    def take_all(self) -> list[Firing]:
        """Return what waits, the worst first, else in the order it came. Ticker only."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        # Also when nothing waited: a signal handler may have raised after a fingerprint was added
        # and before its firing was, and that cause would never be heard of again.
        if self._fingerprints:
            self._fingerprints = set()
        return sorted((firing.cleaned() for firing in taken), key=lambda each: each.severity)


def _text(value: object) -> str:
    text: str = Shortener().shorten_value(as_text(value), _LONGEST_TEXT)
    return text


def _whole(time_ns: object) -> int:
    """Return a time of our era; 0 for any other: the incident goes by when it opened then."""
    try:
        whole = int(time_ns)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0
    return whole if 0 <= whole < 1 << 63 else 0
