"""However a program ends, and however busy it is then: nothing is lost, and it ends in time."""

from __future__ import annotations

import pytest

from tests.torture.exits import Case, run

BUSY_SECONDS = 5.0
"""A busy machine takes so much longer to end a program; with the fault it was 12 to 28 s."""


@pytest.mark.parametrize("how", ["normal", "SIGTERM"])
@pytest.mark.parametrize("threads", [2, 16])
def test_an_open_incident_is_kept_while_threads_work(how: str, threads: int) -> None:
    """They have the GIL most of the time; the incident is in the spool within the limit."""
    case = Case(how, threads, "open", spans=10_000)

    outcome = run(case)

    assert list(outcome.faults(case, BUSY_SECONDS)) == []
    assert outcome.place == "spool"


def test_what_no_exit_handler_sees_is_in_the_ring() -> None:
    """`os._exit` runs none: the ring says that an incident is open, and has its last span."""
    case = Case("os._exit", 1, "open", spans=1000)

    outcome = run(case)

    assert list(outcome.faults(case, BUSY_SECONDS)) == []
    assert outcome.place == "ring"
