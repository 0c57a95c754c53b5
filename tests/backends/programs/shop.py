"""A shop that fails, and a witness of every span it made.

Arguments: `everything`, `sampled`, `overlapping`, `crowded`, `large` or `wordy`: what happens; a
folder, for what the witness saw, in files of OTLP: `ended.binpb` and `open.binpb`.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from pathlib import Path

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import AttributeValue

import otel_flight
from tests.backends.programs.witness import Witness

CALLER = SpanContext(
    0xABCDEF0123456789ABCDEF0123456789,
    0x1234,
    is_remote=True,
    trace_flags=TraceFlags(0),
    trace_state=TraceState([("vendor", "x:1"), ("other", "y")]),
)
ATTRIBUTES: dict[str, AttributeValue] = {
    "text": "größe ✓",
    "int": -(1 << 63),
    "big": (1 << 63) - 1,
    "float": 0.1,
    "bool": True,
    "texts": ("a", "b"),
    "ints": (1, 2, 3),
    "floats": (1.5,),
    "bools": (True, False),
}
LONG_TEXT = "größer " * 1000


class Shop:
    """The provider with a recorder and a witness, and what can happen in the shop."""

    def __init__(self, sampler: Sampler, exporter: OTLPSpanExporter | None = None) -> None:
        resource = Resource({"service.name": os.environ["SHOP_NAME"], "host.name": "web-1"})
        limits = SpanLimits(max_span_attributes=12, max_events=4, max_links=2)
        self.provider = TracerProvider(
            sampler=sampler, resource=resource, span_limits=limits, shutdown_on_exit=False
        )
        if exporter is not None:
            self.provider.add_span_processor(BatchSpanProcessor(exporter))
        # Only failing requests make incidents: not their parts, nor how long the test takes.
        recorder = otel_flight.install(
            tracer_provider=self.provider,
            error_span="root",
            slow_root_seconds=None,
            tail_seconds=0,
            cooldown_seconds=0,
            shutdown_seconds=30,
            light_spans="python",  # the witness does not see those end that live in C
        )
        assert recorder is not None
        recorder.start()  # it sees those that are recorded, not those that are noted before
        self.recorder = recorder
        self.witness = Witness(self.provider)

    def tracer(self, number: int = 0) -> Tracer:
        """Return one of three tracers."""
        return self.provider.get_tracer(
            f"scope {number % 3}", "1.0", schema_url="https://example.org/schema"
        )

    def serve(self, number: int) -> None:
        """Serve a request whose spans have everything a span can have."""
        tracer = self.tracer(number)
        remote = trace.set_span_in_context(trace.NonRecordingSpan(CALLER))
        with tracer.start_as_current_span(
            "GET /orders", remote if number % 8 == 1 else None, SpanKind.SERVER, ATTRIBUTES
        ) as root:
            root.set_attribute("number", number)
            links = [Link(CALLER, {"why": "batch"}), Link(root.get_span_context())]
            query = tracer.start_span("query", kind=SpanKind.CLIENT, links=links)
            query.add_event("cache miss", {"key": "k", "size": 1}, timestamp=time.time_ns())
            for index in range(6):
                query.add_event(f"retry {index}")
                query.set_attribute(f"attribute {index}", index)
            query.set_status(StatusCode.ERROR, "refused")
            query.end()
            with tracer.start_as_current_span("render") as render:
                render.set_status(StatusCode.OK)

    def fail(self, name: str = "GET /broken") -> None:
        """Fail a request while five others are in flight, and wait until the incident is kept."""
        tracer = self.tracer()
        written = self.recorder.statistics().incidents_written
        now = time.time_ns()
        others = [tracer.start_span("GET /other", start_time=now) for _ in range(5)]
        try:
            with tracer.start_as_current_span(name, kind=SpanKind.SERVER):
                for other in others:
                    other.end()
                self.tracer(1).start_span("query").end()
                raise LookupError("no such order")
        except LookupError:
            pass
        self.wait_for_incident(written + 1)

    def wait_for_incident(self, number: int) -> None:
        """Block until so many incidents are kept."""
        deadline = time.monotonic() + 30
        while self.recorder.statistics().incidents_written < number:
            assert time.monotonic() < deadline, "no incident was kept"
            time.sleep(0.01)

    def close(self, folder: Path) -> None:
        """Deliver what is kept, and write down what the witness saw."""
        self.witness.write_to(folder)
        self.provider.shutdown()


def everything() -> Shop:
    """Use all that a span can have, leave two spans open, fail."""
    shop = Shop(ParentBased(ALWAYS_OFF))
    for number in range(100):
        shop.serve(number)
    stream = shop.tracer().start_span("GET /stream", attributes={"client": "tv"})
    shop.tracer().start_span("read", trace.set_span_in_context(stream))
    shop.fail()
    return shop


def sampled() -> Shop:
    """Export one trace in a hundred as ever; fail in one of the others."""
    exporter = OTLPSpanExporter(endpoint=os.environ["SHOP_EXPORTS_TO"], insecure=True)
    shop = Shop(ParentBased(TraceIdRatioBased(0.01)), exporter)
    tracer = shop.tracer()
    random.seed(4)  # the SDK's ids, and thus how many of them are sampled
    for _ in range(600):
        with tracer.start_as_current_span("GET /orders", kind=SpanKind.SERVER):
            tracer.start_span("query").end()
    shop.fail()
    return shop


def overlapping() -> Shop:
    """Fail twice within one window; one span is open the first time and ended the second."""
    shop = Shop(ParentBased(ALWAYS_OFF))
    stream = shop.tracer().start_span("GET /stream")
    for number in range(20):
        shop.serve(number)
    shop.fail("GET /broken")
    for number in range(20):
        shop.serve(number)
    stream.set_attribute("bytes", 12345)
    stream.end()
    shop.fail("GET /worse")
    return shop


def crowded() -> Shop:
    """Make 50 000 spans, fail at the end of them."""
    shop = Shop(ParentBased(ALWAYS_OFF))
    tracer = shop.tracer()
    for number in range(1000):
        with tracer.start_as_current_span("GET /orders", kind=SpanKind.SERVER):
            for index in range(49):
                tracer.start_span("query", attributes={"order": number, "row": index}).end()
    shop.fail()
    return shop


def large() -> Shop:
    """Fail at the end of one request with 8 MB of spans and an error message of 5000 characters."""
    shop = Shop(ParentBased(ALWAYS_OFF))
    shop.serve(0)
    tracer = shop.tracer()
    with contextlib.suppress(LookupError), tracer.start_as_current_span("GET /export"):
        with tracer.start_as_current_span("write"):
            for number in range(8000):
                row: dict[str, AttributeValue] = {"number": number, "row": "abcdefghi " * 100}
                tracer.start_span("write row", attributes=row).end()
        raise LookupError("no more room: " + "0123456789" * 500)
    shop.wait_for_incident(1)
    return shop


def wordy() -> Shop:
    """Ask for an incident with a long word, beside a span that has one too."""
    shop = Shop(ParentBased(ALWAYS_OFF))
    with shop.tracer().start_as_current_span("GET /search", attributes={"query": LONG_TEXT}):
        shop.recorder.trigger("too many results", query=LONG_TEXT)
    shop.wait_for_incident(1)
    return shop


def main(what: str, folder: Path) -> None:
    """Let it happen."""
    scenarios = (everything, sampled, overlapping, crowded, large, wordy)
    shop = {each.__name__: each for each in scenarios}[what]()
    shop.close(folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
