"""A program that asks for every warning of Python's gets none because of the recorder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

trace.set_tracer_provider(TracerProvider())
recorder = otel_flight.install(tick_seconds=0.01, process_seconds=0.1, export="off")
try:
    with trace.get_tracer("program").start_as_current_span("request"):
        logging.getLogger("program").warning("it fails")
        raise KeyError("failed")
except KeyError:
    pass
recorder.stop()
print(recorder.statistics().incidents_written, recorder.statistics().errors)
"""


def test_nothing_is_opened_without_an_encoding_or_left_open(tmp_path: Path) -> None:
    """With the warnings on that are off by default, and as errors, all goes on, in silence."""
    options = ["-X", "warn_default_encoding", "-W", "error::EncodingWarning"]

    done = subprocess.run(
        [sys.executable, *options, "-W", "error::ResourceWarning", "-c", PROGRAM],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=30,
    )

    assert (done.returncode, done.stdout) == (0, "1 ()\n"), done.stderr
    assert done.stderr == "it fails\n"
