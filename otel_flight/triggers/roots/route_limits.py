"""How long a local root may take, by its name and kind, and the firing of one that took longer.

The trigger that looks at ended roots and the one that looks at open ones share both, so that the
same request is one cause for the gate.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_flight.names import attributes as names
from otel_flight.names import trigger_names
from otel_flight.records.normal_names import normal_name
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import ids_of, name_of
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.latency.learned import FACTOR, FLOOR_NS, LearnedLimits
from otel_flight.triggers.roots.root_kinds import RootKind, kind_of

LEARNED: Final = "learned"
"""With this, as the limit of local roots, it is learned what is slow."""
WARM_UP_NS: Final = 1_000_000_000
"""A root may take so many nanoseconds until it is known what is normal for its name."""
_MAX_CACHED_NAMES: Final = 1024
NEVER_NS: Final = 1 << 62
"""A local root without a limit may take so many nanoseconds."""


@dataclass(frozen=True, kw_only=True)
class SlowRootSettings(SettingsGroup):
    """How long local roots may take."""

    slow_root_seconds: float | Literal["learned"] | None = setting_field(
        "SLOW_ROOT", LEARNED, kinds.or_word(LEARNED, kinds.limit())
    )
    """How long a local root (a request, a job) may take before it makes an incident. `learned`: the
    recorder learns for each name what is normal; until it has seen 20 of a name, a request may take
    1s. Streams, and what only waits for work, may take as long as they like."""

    slow_job_seconds: float | None = setting_field("SLOW_JOB", 3600.0, kinds.limit(7 * 24 * 3600))
    """How long a local root that is neither a server's nor a consumer's may take, such as a
    script's, as long as it is not known what is normal for its name."""

    slow_root_factor: float = setting_field("SLOW_ROOT_FACTOR", FACTOR, kinds.share(1, 1000))
    """With learned limits, a root is slow that takes this many times what 99 % of its name take at
    most, and twice what 99.9 % take."""

    slow_root_floor_seconds: float = setting_field(
        "SLOW_ROOT_FLOOR", FLOOR_NS / 1e9, kinds.duration(0.001, 3600)
    )
    """With learned limits, a root that takes no longer than this is never slow."""

    slow_root_routes: tuple[tuple[str, float | None], ...] = setting_field(
        "SLOW_ROOT_ROUTES", (), kinds.routes(kinds.limit())
    )
    """Limits for local roots by span name, whatever they are, instead of `slow_root_seconds`; the
    first pattern that fits decides. Example: `GET /report*=5s,POST /bulk=off`."""


class RouteLimits:
    """The limit of each local root: of the first glob that matches, else what is set, or learned.

    Args:
        learned: what is normal for each name.

    Attributes:
        learns: whether durations are to be noted there.
        least_ns: the least of all limits.
    """

    def __init__(self, settings: SlowRootSettings, learned: LearnedLimits) -> None:
        self._routes = [
            (re.compile(fnmatch.translate(glob)), _limit_ns(seconds))
            for glob, seconds in settings.slow_root_routes
        ]
        self._learned = learned
        learned.factor = settings.slow_root_factor
        learned.floor_ns = _limit_ns(settings.slow_root_floor_seconds)
        fixed = settings.slow_root_seconds
        self.learns = isinstance(fixed, str)
        request_ns = WARM_UP_NS if isinstance(fixed, str) else _limit_ns(fixed)
        job_ns = _limit_ns(settings.slow_job_seconds) if self.learns else request_ns
        self._by_kind = {RootKind.REQUEST: request_ns, RootKind.JOB: job_ns}
        least_ns = min(request_ns, job_ns, learned.floor_ns) if self.learns else request_ns
        self.least_ns = min([least_ns, *(limit_ns for _, limit_ns in self._routes)])
        self._cache: dict[str, int | None] = {}

    def limit_ns(self, name: str, kind: RootKind = RootKind.REQUEST) -> int:
        """Return how long a local root of this name and kind may take. Any thread; 5 µs."""
        limit_ns = self.set_ns(name)
        by_kind_ns = self._by_kind.get(kind)
        if limit_ns is None and by_kind_ns is None:
            return NEVER_NS
        if limit_ns is None and self.learns:
            limit_ns = self._learned.limit_ns(name)
        return by_kind_ns or NEVER_NS if limit_ns is None else limit_ns

    def usual_ns(self, name: str) -> int:
        """Return how long 99 % of the roots of this name take at most, 0 where a limit is set."""
        is_learned = self.learns and self.set_ns(name) is None
        return self._learned.usual_ns(name) if is_learned else 0

    def set_ns(self, name: str) -> int | None:
        """Return the limit that is set for this name; None: there is none but the general one."""
        if not self._routes:
            return None
        try:
            return self._cache[name]
        except KeyError:
            pass
        found = (limit_ns for glob, limit_ns in self._routes if glob.match(name))
        limit_ns = next(found, None)
        if len(self._cache) < _MAX_CACHED_NAMES:
            self._cache[name] = limit_ns
        return limit_ns


def is_any_set(settings: SlowRootSettings) -> bool:
    """Return whether there is any limit, set or learned."""
    limits = [settings.slow_root_seconds, *(seconds for _, seconds in settings.slow_root_routes)]
    return any(limit is not None for limit in limits)


def slow_firing(
    trigger: str, span: Any, time_ns: int, duration_ns: int, limits: RouteLimits
) -> Firing:
    """Return the firing of a slow local root; the open and the ended one are the same cause."""
    trace_id, span_id = ids_of(span)
    name = name_of(span)
    limit_ns = limits.limit_ns(name, kind_of(span))
    attributes = {names.DURATION: duration_ns, names.LIMIT: limit_ns}
    if usual_ns := limits.usual_ns(name):
        attributes[names.USUAL] = usual_ns
    return Firing(
        trigger=trigger,
        reason="slow local root",
        subject=name,
        fingerprint=(trigger_names.SLOW_ROOT, normal_name(name)),
        time_ns=time_ns,
        trace_id=trace_id,
        span_id=span_id,
        attributes=attributes,
        severity=Severity.SLOW,
    )


def _limit_ns(seconds: float | None) -> int:
    return NEVER_NS if seconds is None else int(seconds * 1e9)
