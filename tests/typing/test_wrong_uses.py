"""A type checker finds wrong uses of the public API in a program that has the package installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

PROGRAM = """\
import otel_flight
from otel_flight import FlightRecorder, FlightSampler, FlightSpanProcessor, Incident, Settings
from otel_flight.testing import FakeClock, flight_recording

otel_flight.get_recorder().trigger("late")  # union-attr
Settings(window_bytes=None)  # arg-type
Settings(window_bytes="4MiB")  # arg-type
Settings(window=60)  # call-arg
Settings(error_span="never")  # arg-type
Settings(True)  # call-arg arg-type
Settings().window_bytes = 1  # misc
FlightRecorder("settings.toml")  # arg-type
FlightRecorder(exporter="otlp")  # arg-type
FlightRecorder(clock=0)  # arg-type
FlightRecorder().enabled = True  # misc
FlightRecorder().trigger()  # call-arg
FlightRecorder().write_to(3)  # arg-type
FlightRecorder().snapshot().windows  # attr-defined
FlightRecorder().statistics().spans + 1  # operator
FlightSpanProcessor(Settings())  # arg-type
FlightSampler()  # call-arg
Incident()  # call-arg
otel_flight.install(tracer_provider="global")  # arg-type
otel_flight.no_such_name  # attr-defined
flight_recording(clock=60)  # arg-type
FakeClock().advance("1s")  # arg-type
with flight_recording() as recording:
    recording.incidents()[0].manifest.causes[0].trace_id + 1  # operator
"""


def test_each_wrong_use_is_found(tmp_path: Path) -> None:
    """Where it is, and nothing else: the types are complete, and marked to be used."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    expected = [
        (number, code)
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        for code in line.partition("  # ")[2].split()
    ]
    errors = re.findall(r"^program\.py:(\d+): error: .*\[([\w-]+)\]$", found.stdout, re.M)
    assert [(int(number), code) for number, code in errors] == expected, found.stdout + found.stderr
