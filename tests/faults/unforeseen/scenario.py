"""A fault, what names it, and the ways in which most faults are run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.fault_run import Fault


@dataclass(frozen=True)
class Scenario:
    """A fault, and its name.

    Attributes:
        fault: what is run.
        named: the first finding says one of these.
    """

    fault: Fault
    named: Sequence[str]

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return f"{self.fault.program} {' '.join(self.fault.requests)}"


def threads(
    path: str,
    *named: str,
    before: Sequence[str] = (),
    quiet: str = "",
    program: str = "threads_at_work",
) -> Scenario:
    """Have a service on threads be slow to answer the last of some requests."""
    return Scenario(
        Fault(
            program=program,
            server="gunicorn",
            requests=(*before, path),
            trigger="slow_root",
            environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": quiet} if quiet else {},
        ),
        named,
    )


def loop(
    path: str,
    *named: str,
    before: Sequence[str] = (),
    quiet: str = "",
    program: str = "loop_at_work",
) -> Scenario:
    """Have a service on an event loop be slow to answer the last of some requests."""
    return Scenario(
        Fault(
            program=program,
            requests=(*before, path),
            trigger="slow_root",
            environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": quiet} if quiet else {},
        ),
        named,
    )


def failing(path: str, *named: str, program: str = "careless_failures") -> Scenario:
    """Have a service on threads fail to answer."""
    fault = Fault(program=program, server="gunicorn", requests=(path,), trigger="error_span")
    return Scenario(fault, named)


def greenlets(
    path: str, *named: str, before: Sequence[str] = (), after: Sequence[str] = (), quiet: str = ""
) -> Scenario:
    """Have a service on greenlets be slow to answer the first request that is not quiet."""
    return Scenario(
        Fault(
            program="careless_greenlets",
            server="gunicorn",
            arguments=("-k", "gevent"),
            requests=(*before, path, *after),
            trigger="slow_root",
            environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": quiet} if quiet else {},
        ),
        named,
    )
