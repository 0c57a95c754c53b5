"""What a signal handler of the program raises while our code runs: Celery's soft limit, say."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.interpreter.recursion import IS_GUARDED
from otel_flight.recording.encoding.compiled import IS_AVAILABLE
from tests.support.processes.service_process import ServiceProcess

PROGRAM = str(Path(__file__).parent / "programs" / "time_limited.py")
SPANS = 2000


@pytest.mark.skipif(not IS_GUARDED, reason="the interpreter swallows it in callbacks in Python")
@pytest.mark.parametrize("compiled", ["on", "off"])
@pytest.mark.parametrize("light", ["off", "python"])
def test_it_reaches_the_program_and_mangles_no_span(compiled: str, light: str) -> None:
    """Also out of a callback of garbage collection, and from the midst of odd and long values."""
    if compiled == "on" and not IS_AVAILABLE:
        pytest.skip("the hot path in C is not built here")
    environment = {"OTEL_FLIGHT_COMPILED": compiled, "OTEL_FLIGHT_LIGHT_SPANS": light}
    with ServiceProcess([PROGRAM, str(SPANS)], environment=environment) as process:
        assert process.wait(60) == 0, process.output()
        found, counts = process.output().splitlines()

    assert found == "0 0 ()"
    raised, recorded = map(int, counts.split())
    assert raised > SPANS / 20
    assert recorded > SPANS / 2
