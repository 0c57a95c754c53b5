"""The two hot paths, for tests that both must pass."""

from __future__ import annotations

import pytest

from otel_flight.recording.encoding.compiled import IS_AVAILABLE

HOT_PATHS = [
    pytest.param(
        True,
        id="compiled",
        marks=pytest.mark.skipif(not IS_AVAILABLE, reason="the hot path in C is not built here"),
    ),
    pytest.param(False, id="pure"),
]
"""Values of the setting `compiled`."""
