"""Where Python was not told of a fork, nothing is read that the child does not have."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from otel_flight.interpreter.frames import IS_COMPILED
from tests.support.processes.service_process import ServiceProcess

PROGRAM = Path(__file__).parent / "programs" / "silent_fork.py"


@pytest.mark.parametrize("reader", ["compiled", "pure"])
def test_threads_of_the_parent_are_not_looked_at(reader: str) -> None:
    """The child sees its own threads where it can, and does not crash."""
    if reader == "compiled" and not IS_COMPILED:
        pytest.skip("the reader in C is not built here")
    can_look = reader == "compiled" or sys.version_info < (3, 11)

    with ServiceProcess([str(PROGRAM), reader]) as process:
        assert process.wait() == 0, process.output()

        said = "can look" if can_look else "cannot look"
        assert process.output() == f"{said}\nexited 0\n"
