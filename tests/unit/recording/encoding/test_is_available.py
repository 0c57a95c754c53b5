"""The hot path in C is not left out unseen; apart, as the tests of it are skipped without it."""

from __future__ import annotations

import os
import shutil

from otel_flight.recording.encoding.compiled import IS_AVAILABLE

IS_UNWANTED = os.environ.get("OTEL_FLIGHT_BUILD") == "pure"


def test_a_compiler_is_all_it_needs() -> None:
    """Where these tests run with a compiler, they run with the compiled hot path."""
    is_expected = shutil.which("cc") is not None and not IS_UNWANTED
    assert IS_AVAILABLE or not is_expected, "build it anew: make .venv/.dev-installed"
