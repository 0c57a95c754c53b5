"""The two readers of frames, for tests that both must pass."""

from __future__ import annotations

from typing import Any

import pytest

from otel_flight.interpreter import frames, frames_in_python
from otel_flight.interpreter.frames import IS_COMPILED

COMPILED: Any = frames._reader if IS_COMPILED else None
IN_PYTHON: Any = frames_in_python

needs_compiled = pytest.mark.skipif(not IS_COMPILED, reason="the reader in C is not built here")

READERS = [
    pytest.param(COMPILED, id="compiled", marks=needs_compiled),
    pytest.param(IN_PYTHON, id="pure"),
]
