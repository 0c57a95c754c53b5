"""Makes some spans with whatever provider is there; the last one fails; then the program ends.

Arguments: `install`, `by-hand` or `nothing`: how the recorder gets in.
"""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

import otel_flight


def main(how: str) -> None:
    """Record eleven requests, the last one failing."""
    if how == "install":
        trace.set_tracer_provider(TracerProvider(sampler=ParentBased(ALWAYS_OFF)))
        otel_flight.install()
    elif how == "by-hand":
        sampler = otel_flight.FlightSampler(ParentBased(ALWAYS_OFF))
        provider = TracerProvider(sampler=sampler)
        provider.add_span_processor(otel_flight.FlightSpanProcessor())
        trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("script")
    for number in range(10):
        with tracer.start_as_current_span("GET /fine", attributes={"number": number}):
            tracer.start_span("query").end()
    try:
        with tracer.start_as_current_span("GET /broken"):
            raise LookupError("no such order")
    except LookupError:
        pass
    pipeline = getattr(trace.get_tracer_provider(), "_active_span_processor", None)
    names = [type(p).__name__ for p in getattr(pipeline, "_span_processors", ())]
    print("processors:", " ".join(names) or "none")


main(sys.argv[1])
