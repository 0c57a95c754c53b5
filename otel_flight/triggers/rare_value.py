"""Fires for a local root with a value that no other had in the last hour: a status, a tenant.

What a service does not do every hour is worth a look before it is worth an error: the first answer
of a new kind, the one tenant whose requests take another way.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.names import attributes as names
from otel_flight.names import span_attributes, trigger_names
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    OTHER,
    Hooks,
    TriggerContext,
    TriggerDescription,
    ids_of,
    name_of,
)
from otel_flight.triggers.gate.firing import Firing, FiringInbox

_logger = logging.getLogger("otel_flight")

RARE_NS: Final = 3_600_000_000_000
"""A value is rare that was not seen for so many nanoseconds."""
LEAST_ROOTS: Final = 200
"""An attribute must have been seen on so many local roots before any value of it is rare."""
MOST_VALUES: Final = 1000
"""An attribute with more values than this within the hour tells nothing: it is given up."""
_LONGEST_VALUE: Final = 256
_OTHER_NAMES: Final = {
    name: alternatives
    for alternatives in (
        span_attributes.HTTP_STATUS_CODES,
        span_attributes.RPC_STATUS_CODES,
        span_attributes.RPC_SYSTEMS,
        span_attributes.PEER_SERVICES,
        span_attributes.PEER_HOSTS,
        span_attributes.SYSTEMS,
        span_attributes.NAMESPACES,
    )
    for name in alternatives
}


@dataclass(frozen=True, kw_only=True)
class RareValueSettings(SettingsGroup):
    """Of which attributes rare values make incidents."""

    rare_values: tuple[str, ...] = setting_field("RARE_VALUES", (), kinds.attribute_names())
    """Attributes of local roots of which a value makes an incident that was not seen for an hour.
    Example: `http.response.status_code,error.type,tenant`."""


class _Attribute:
    """One attribute, and when each of its values was seen last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = _OTHER_NAMES.get(name, (name,))
        self.roots = 0
        self.seen: dict[str, int] = {}
        self.is_given_up = False

    def is_rare(self, value: str, now_ns: int) -> bool:
        """Note a value; return whether it is rare. Any thread; no lock: each step is atomic."""
        self.roots += 1
        last_ns = self.seen.pop(value, None)
        self.seen[value] = now_ns  # the newest are last
        if last_ns is not None:
            return now_ns - last_ns > RARE_NS
        if len(self.seen) > MOST_VALUES:
            self._forget(now_ns)
        return self.roots > LEAST_ROOTS and not self.is_given_up

    def _forget(self, now_ns: int) -> None:
        oldest = list(self.seen)[0]  # noqa: RUF015  # in one step, as others may change it
        if now_ns - self.seen.pop(oldest, now_ns) <= RARE_NS:
            self.is_given_up = True
            self.seen = {}


class RareValueTrigger:
    """Watch the values of local roots that ended, on the application's thread.

    Args:
        attributes: the names of the attributes that are watched.
        inbox: where firings go.
        clock: a fake one in tests.
    """

    name: Final = trigger_names.RARE_VALUE

    def __init__(
        self, attributes: tuple[str, ...], inbox: FiringInbox, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._watched = [_Attribute(name) for name in dict.fromkeys(attributes)]
        self._inbox = inbox
        self._clock = clock

    def root_ended(self, span: ReadableSpan, _root: OpenRoot | None) -> None:
        """Fire for the first of its attributes whose value is rare; note the others. 1 µs each."""
        attributes = span.attributes
        if not attributes:
            return
        rare: tuple[str, str] | None = None
        now_ns = self._clock.monotonic_ns()
        for watched in self._watched:
            for name in watched.names:
                value: Any = attributes.get(name)
                if value is not None and not watched.is_given_up:
                    text = str(value)[:_LONGEST_VALUE]
                    if watched.is_rare(text, now_ns) and rare is None:
                        rare = name, text
                    break
        if rare is not None:
            self._inbox.offer(self._firing(span, *rare))

    def watch(self) -> None:
        """Say once of an attribute that it is watched no longer."""
        given_up = [each for each in self._watched if each.is_given_up]
        if given_up:
            self._watched = [each for each in self._watched if not each.is_given_up]
        for each in given_up:
            _logger.warning(
                "otel-flight watches %s for rare values no longer: it had more than %d in an hour. "
                "Leave it out of OTEL_FLIGHT_RARE_VALUES",
                each.name,
                MOST_VALUES,
            )

    def _firing(self, span: ReadableSpan, name: str, value: str) -> Firing:
        trace_id, span_id = ids_of(span)
        return Firing(
            trigger=self.name,
            reason=f"rare {name}",
            subject=name_of(span),
            fingerprint=(self.name, name, value),
            time_ns=span.end_time or 0,
            trace_id=trace_id,
            span_id=span_id,
            attributes={names.RARE_VALUE: value},
        )


def _build(settings: RareValueSettings, context: TriggerContext) -> Hooks | None:
    if not settings.rare_values:
        return None
    trigger = RareValueTrigger(settings.rare_values, context.inbox, context.clock)
    return Hooks(root_ended=trigger.root_ended, watch=trigger.watch)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.RARE_VALUE,
    about=OTHER,
    settings=RareValueSettings,
    build=_build,
    docs="how-to/triggers/rare-value.md",
)
