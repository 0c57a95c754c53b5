"""However a program ends, and however busy it is then: nothing is lost, and it ends in time."""

from __future__ import annotations

import pytest

from tests.torture.exits import Case, run


@pytest.mark.parametrize("how", ["normal", "SIGTERM"])
@pytest.mark.parametrize("threads", [2, 16])
def test_an_open_incident_is_kept_while_threads_work(how: str, threads: int) -> None:
    """They have the GIL most of the time; the incident is in the spool within the limit."""
    case = Case(how, threads, "open", spans=10_000)

    outcome = run(case)

    assert list(outcome.faults(case)) == []
    assert outcome.place == "spool"
