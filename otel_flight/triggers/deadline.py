"""Fires while a local root nears the limit at which something kills this process.

A worker that is killed for its slowness can say nothing, so it speaks a little before. Where a
native call keeps the GIL until the server's signal interrupts it, there is no tick before: then the
end of the root is the first moment to speak, and perhaps the last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.interpreter.supervisors import Supervisor, find_supervisor
from otel_flight.names import attributes as names
from otel_flight.names import trigger_names
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.records.normal_names import normal_name
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    SLOWNESS,
    Hooks,
    TriggerContext,
    TriggerDescription,
    ids_of,
    name_of,
)
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.severity import Severity

SHARE: Final = 0.8
"""A local root fires when it has been open for this part of its limit."""
_LOOKED_AFTER_NS: Final = 300_000_000
"""Younger local roots, in nanoseconds, are not looked at, which most are."""


@dataclass(frozen=True, kw_only=True)
class DeadlineSettings(SettingsGroup):
    """Which limits count."""

    deadline_trigger: bool = setting_field("DEADLINE_TRIGGER", True, kinds.flag())
    """Whether a local root makes an incident that has been open for 80 % of the time after which it
    is killed: by gunicorn (synchronous workers), Celery's hard time limit, uWSGI's harakiri, the
    timeout of a function on AWS Lambda."""

    deadline_seconds: float | None = setting_field(
        "DEADLINE", None, kinds.or_unset(kinds.duration(0.1, 24 * 3600))
    )
    """After how long a local root is killed by something else, such as a job runner. Unset: only
    what its server itself says counts."""


class DeadlineTrigger:
    """Look over the open local roots, on the ticker's thread, and at those that end, on theirs.

    Args:
        seconds: the limit that is set; None: none is.
        context: which roots are open, and where firings go.
        find: returns who kills this process.
    """

    name: Final = trigger_names.DEADLINE

    def __init__(
        self,
        seconds: float | None,
        context: TriggerContext,
        find: Callable[[], Supervisor | None] = find_supervisor,
    ) -> None:
        self._seconds = seconds
        self._open_spans = context.open_spans
        self._inbox = context.inbox
        self._clock = context.clock
        self._find = find
        self._supervisor: Supervisor | None = None
        self._is_known = False
        self._limits_ns: dict[int, int] = {}

    def watch(self) -> None:
        """Fire, once each, for local roots that are near their limit."""
        roots = dict(self._open_spans.roots)
        for span_id in self._limits_ns.keys() - roots.keys():
            del self._limits_ns[span_id]
        now_ns = self._clock.monotonic_ns()
        for span_id, root in roots.items():
            age_ns = now_ns - root[3]
            if age_ns < _LOOKED_AFTER_NS:
                break  # the others are younger
            if span_id not in self._open_spans.silent:
                self._look(span_id, root, age_ns)

    def kills_requests(self) -> bool:
        """Whether there is a limit for requests at all."""
        supervisor = self._known_supervisor()
        return bool(self._seconds) or (supervisor is not None and supervisor.is_for_requests)

    def root_ended(self, span: ReadableSpan, root: OpenRoot | None) -> None:
        """Fire for a local root that was not seen near its limit, as there was no tick."""
        if root is None:
            return
        age_ns = self._clock.monotonic_ns() - root[3]
        if age_ns > _LOOKED_AFTER_NS:
            self._look(ids_of(span)[1], root, age_ns)

    def _look(self, span_id: int, root: OpenRoot, age_ns: int) -> None:
        name = name_of(root[0])
        limit_ns = self._limits_ns.get(span_id)
        if limit_ns is None:
            limit_ns = self._limits_ns[span_id] = self._limit_ns(name, age_ns)
        if not limit_ns or age_ns < limit_ns * SHARE:
            return
        self._limits_ns[span_id] = 0  # it is told
        by = self._supervisor.name if self._supervisor is not None and not self._seconds else ""
        trace_id, own_id = ids_of(root[0])
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason="near its deadline",
                subject=name,
                fingerprint=(self.name, normal_name(name)),
                time_ns=self._clock.wall_ns(),
                trace_id=trace_id,
                span_id=own_id,
                attributes={
                    names.DURATION: age_ns,
                    names.LIMIT: limit_ns,
                    **({names.SUPERVISOR: by} if by else {}),
                },
                severity=Severity.SLOW,
            )
        )

    def _limit_ns(self, name: str, age_ns: int) -> int:
        """Return the limit of a local root; 0: it has none."""
        supervisor = self._known_supervisor()
        known = supervisor.limit_of(name, age_ns / 1e9) if supervisor is not None else 0.0
        return int((self._seconds or known) * 1e9)

    def _known_supervisor(self) -> Supervisor | None:
        if not self._is_known:
            self._is_known = True
            self._supervisor = self._find()
        return self._supervisor


def _build(settings: DeadlineSettings, context: TriggerContext) -> Hooks | None:
    if not settings.deadline_trigger:
        return None
    trigger = DeadlineTrigger(settings.deadline_seconds, context)
    # Where nobody kills requests, their ends cost nothing more.
    root_ended = trigger.root_ended if trigger.kills_requests() else None
    return Hooks(watch=trigger.watch, root_ended=root_ended)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.DEADLINE,
    about=SLOWNESS,
    settings=DeadlineSettings,
    build=_build,
    docs="how-to/triggers/deadline.md",
)
