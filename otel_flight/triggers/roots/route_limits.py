"""How long a local root may take, by its name, and the firing of one that took longer.

The trigger that looks at ended roots and the one that looks at open ones share both, so that the
same request is one cause for the gate.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.names import attributes as names
from otel_flight.names import trigger_names
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import ids_of, name_of
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.severity import Severity

_MAX_CACHED_NAMES: Final = 1024
_NEVER_NS: Final = 1 << 62


@dataclass(frozen=True, kw_only=True)
class SlowRootSettings(SettingsGroup):
    """How long local roots may take."""

    slow_root_seconds: float | None = setting_field("SLOW_ROOT", 1.0, kinds.limit())
    """How long a local root (a request, a job) may take before it makes an incident."""

    slow_root_routes: tuple[tuple[str, float | None], ...] = setting_field(
        "SLOW_ROOT_ROUTES", (), kinds.routes(kinds.limit())
    )
    """Limits for local roots by span name, instead of `slow_root_seconds`; the first pattern that
    fits decides. Example: `GET /report*=5s,POST /bulk=off`."""


class RouteLimits:
    """The limit of each span name: the first glob that matches, else the global one.

    Attributes:
        least_ns: the least of all limits.
    """

    def __init__(self, settings: SlowRootSettings) -> None:
        self._routes = [
            (re.compile(fnmatch.translate(glob)), _limit_ns(seconds))
            for glob, seconds in settings.slow_root_routes
        ]
        self._default_ns = _limit_ns(settings.slow_root_seconds)
        self.least_ns = min([self._default_ns, *(limit_ns for _, limit_ns in self._routes)])
        self._cache: dict[str, int] = {}

    @property
    def is_any(self) -> bool:
        """Whether there is any limit at all."""
        return self.least_ns < _NEVER_NS

    def limit_ns(self, name: str) -> int:
        """Return how long a local root of this name may take."""
        limit = self._cache.get(name)
        if limit is None:
            limit = next(
                (limit_ns for glob, limit_ns in self._routes if glob.match(name)), self._default_ns
            )
            if len(self._cache) < _MAX_CACHED_NAMES:
                self._cache[name] = limit
        return limit


def slow_firing(
    trigger: str, span: ReadableSpan, time_ns: int, duration_ns: int, limit_ns: int
) -> Firing:
    """Return the firing of a slow local root; the open and the ended one are the same cause."""
    trace_id, span_id = ids_of(span)
    return Firing(
        trigger=trigger,
        reason="slow local root",
        subject=name_of(span),
        fingerprint=(trigger_names.SLOW_ROOT, name_of(span)),
        time_ns=time_ns,
        trace_id=trace_id,
        span_id=span_id,
        attributes={
            names.DURATION: duration_ns,
            names.LIMIT: limit_ns,
        },
        severity=Severity.SLOW,
    )


def _limit_ns(seconds: float | None) -> int:
    return _NEVER_NS if seconds is None else int(seconds * 1e9)
