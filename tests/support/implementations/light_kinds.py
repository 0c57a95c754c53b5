"""The kinds of tracers that make light spans, for tests that all of them must pass."""

from __future__ import annotations

import pytest

from otel_flight.recording.light.compiled_span import COMPILED
from otel_flight.recording.light.light_tracer import LightTracer

LIGHT_TRACERS = [
    pytest.param(LightTracer, id="python"),
    pytest.param(
        None if COMPILED is None else COMPILED.tracer,
        id="c",
        marks=pytest.mark.skipif(COMPILED is None, reason="light spans in C are not built here"),
    ),
]
