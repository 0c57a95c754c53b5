"""What is written in C is not left out unseen; apart, as the tests of it are skipped without it."""

from __future__ import annotations

import os
import shutil

from otel_flight.recording.encoding.compiled import IS_AVAILABLE
from otel_flight.recording.light.compiled_span import COMPILED

IS_UNWANTED = os.environ.get("OTEL_FLIGHT_BUILD") == "pure"


def test_a_compiler_is_all_it_needs() -> None:
    """Where these tests run with a compiler, they run with what is compiled."""
    is_expected = shutil.which("cc") is not None and not IS_UNWANTED
    is_whole = IS_AVAILABLE and COMPILED is not None
    assert is_whole or not is_expected, "build it anew: make .venv/.dev-installed"
