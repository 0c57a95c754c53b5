"""Writes into a ring's header what this process is, and where its incidents are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.resources import Resource

from otel_flight.incidents.spool.spool import Spool
from otel_flight.interpreter.supervisors import find_supervisor
from otel_flight.ring.facts import (
    OOM_COUNTER,
    OOM_KILLS,
    PIPELINE,
    SERVICE,
    SPOOL,
    SPOOL_PROBLEM,
    SUPERVISOR,
    SUPERVISOR_IS_FOR_REQUESTS,
    SUPERVISOR_LIMIT,
    SUPERVISOR_TASKS,
)
from otel_flight.ring.ring import Ring
from otel_flight.sources.kernel.oom_kills import oom_counter, oom_kills


class ProcessFacts:
    """What a process says of itself. For the ticker's thread.

    Args:
        service_name: as far as it is known; the first span's resource corrects it.
        spool: where its incidents are.
        pipeline: returns where its sampled spans go; see `facts.PIPELINE`.

    Attributes:
        service_name: as far as it is known by now.
    """

    def __init__(self, service_name: str, spool: Spool, pipeline: Callable[[], str]) -> None:
        self.service_name = service_name
        self._spool = spool
        self._pipeline = pipeline
        self._is_identified = False
        self._told: dict[str, Any] = {}
        self._deadly: dict[str, Any] = {}

    @property
    def at_start(self) -> dict[str, Any]:
        """What is known before there is a span; a process may be killed before its first tick."""
        return {SERVICE: self.service_name, **_who_may_kill()}

    def tell(self, ring: Ring, resource: Resource | None) -> bool:
        """Write what is new; return whether that is who this is.

        Args:
            ring: where to.
            resource: of the newest span; None: there was none.
        """
        is_new = not self._is_identified and resource is not None
        if resource is not None and is_new:
            self._is_identified = True
            self.service_name = str(resource.attributes.get("service.name", self.service_name))
            self._deadly = _who_may_kill()
        facts = {
            **self._deadly,
            SERVICE: self.service_name,
            SPOOL: str(self._spool.directory),
            SPOOL_PROBLEM: self._spool.problem,
            PIPELINE: self._pipeline(),
        }
        if self._is_identified and facts != self._told:
            self._told = facts
            ring.write_facts(facts)
        return is_new


def _who_may_kill() -> dict[str, Any]:
    """Return what tells, when the process has died, whether it was killed, and by whom."""
    found: dict[str, Any] = {}
    supervisor = find_supervisor()
    if supervisor is not None and (supervisor.limit_seconds or supervisor.tasks):
        found[SUPERVISOR] = supervisor.name
        found[SUPERVISOR_LIMIT] = supervisor.limit_seconds
        found[SUPERVISOR_TASKS] = supervisor.tasks
        found[SUPERVISOR_IS_FOR_REQUESTS] = supervisor.is_for_requests
    if counter := oom_counter():
        found[OOM_COUNTER] = counter
        found[OOM_KILLS] = oom_kills(counter) or 0
    return found
