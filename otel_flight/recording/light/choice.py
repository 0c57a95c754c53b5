"""Choose what makes light spans: C where it was built and is right, else Python, else nothing."""

from __future__ import annotations

from otel_flight.recording.light.compiled_span import COMPILED
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.self_test import are_light_spans_right


def light_tracer_type(wanted: str, *, is_compiled: bool) -> type[LightTracer] | None:
    """Return the kind of tracer that makes light spans; None where there are to be none.

    Args:
        wanted: the setting `light_spans`.
        is_compiled: code in C may be used.
    """
    if wanted == "off" or not are_light_spans_right():
        return None
    if wanted == "auto" and is_compiled and COMPILED is not None:
        return COMPILED.tracer if are_light_spans_right(COMPILED.tracer) else LightTracer
    return LightTracer
