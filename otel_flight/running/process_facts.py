"""Writes into a ring's header what this process is, and where its incidents are."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource

from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.facts import SERVICE, SPOOL, SPOOL_PROBLEM
from otel_flight.ring.ring import Ring


class ProcessFacts:
    """What a process says of itself. For the ticker's thread.

    Args:
        service_name: as far as it is known; the first span's resource corrects it.
        spool: where its incidents are.

    Attributes:
        service_name: as far as it is known by now.
    """

    def __init__(self, service_name: str, spool: Spool) -> None:
        self.service_name = service_name
        self._spool = spool
        self._is_identified = False
        self._told: dict[str, str] = {}

    @property
    def at_start(self) -> dict[str, str]:
        """What is known before there is a span."""
        return {SERVICE: self.service_name}

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
        facts = {
            SERVICE: self.service_name,
            SPOOL: str(self._spool.directory),
            SPOOL_PROBLEM: self._spool.problem,
        }
        if self._is_identified and facts != self._told:
            self._told = facts
            ring.write_facts(facts)
        return is_new
