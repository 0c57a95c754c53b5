"""The encoder: fast where it can be, never wrong where it cannot, and counting what it changed."""

from __future__ import annotations

import enum
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from otel_flight.recording.encoding.fast_encoder import span_encoder
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.records import records
from otel_flight.records.decoder import decode_records
from otel_flight.records.records import OpenSpan, Record, Span, SpanStart
from tests.support.rigs.recording_rig import UNLIMITED, EndedSpans

ROOT = Path(__file__).parents[4]
LIMIT = 4096
KEYS = [f"key {number}" for number in range(129)]


class Bench:
    """An encoder, and a provider whose ended spans are kept."""

    def __init__(self) -> None:
        self.scopes = ScopeTable()
        self.encoder = span_encoder(self.scopes, LIMIT)
        self.ended = EndedSpans()
        self.provider = TracerProvider(span_limits=UNLIMITED, shutdown_on_exit=False)
        self.provider.add_span_processor(self.ended)
        self.tracer = self.provider.get_tracer("bench", "1.0")

    def ended_span(self, attributes: Any = None, **options: Any) -> ReadableSpan:
        """Return a span that ended."""
        self.tracer.start_span("work", attributes=attributes, **options).end()
        return self.ended.spans[-1]

    def encode(self, span: ReadableSpan) -> Span:
        """Return what a reader gets of a span that ended."""
        record = decode(self.encoder.encode_end(span)[0])
        assert type(record) is Span
        return record


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An encoder with a limit of 4 KiB."""
    bench = Bench()
    yield bench
    bench.provider.shutdown()


def decode(data: bytes) -> Record:
    """Return the one record in some bytes."""
    decoded = decode_records(data, 1)
    assert decoded.undecoded == 0
    return decoded.records[0]


class Markup(str):
    """A string of a class of its own, as template engines make them."""

    __slots__ = ()


class Level(str, enum.Enum):
    """An enumeration of strings."""

    HIGH = "high"


def test_an_ordinary_span_needs_no_conversion(bench: Bench) -> None:
    """Nothing is counted for a span as most are."""
    span = bench.encode(bench.ended_span({"a": 1, "b": "x", "c": True, "d": (1, 2)}))

    assert span.attributes == {"a": 1, "b": "x", "c": True, "d": [1, 2]}
    assert span.extras is None
    assert (bench.encoder.converted, bench.encoder.cut_records) == (0, 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(Markup("a"), "a"), (Level.HIGH, "high"), (1.5, 1.5)],
    ids=["subclass", "enumeration", "float"],
)
def test_values_of_subclasses_are_no_conversion(bench: Bench, value: Any, expected: Any) -> None:
    """A string remains a string, of whatever class it was."""
    span = bench.encode(bench.ended_span({"value": value}))

    assert span.attributes == {"value": expected}
    assert bench.encoder.converted == 0


@pytest.mark.parametrize("value", [1 << 64, -(1 << 64), "\ud800", [1 << 70, 1], ["a", "\udcff"]])
def test_what_was_converted_is_counted(bench: Bench, value: Any) -> None:
    """The encoder counts conversions, and the record carries its own count."""
    span = bench.encode(bench.ended_span({"value": value}))

    assert span.extras == {records.EXTRA_CONVERTED: 1}
    assert bench.encoder.converted == 1


def test_what_was_cut_is_counted(bench: Bench) -> None:
    """A record over the limit is counted once."""
    data, _ = bench.encoder.encode_end(bench.ended_span({"a": "x" * 10_000, "b": "y" * 10_000}))

    assert len(data) <= LIMIT
    assert bench.encoder.cut_records == 1


def test_what_the_sdk_dropped_is_said(bench: Bench) -> None:
    """The counts of the SDK's own limits are part of the record."""
    provider = TracerProvider(shutdown_on_exit=False)
    ended = EndedSpans()
    provider.add_span_processor(ended)
    links = [Link(SpanContext(1, number + 1, False)) for number in range(130)]
    span = provider.get_tracer("t").start_span("work", links=links)
    for number in range(131):
        span.set_attribute(f"key {number}", number)
        span.add_event("event", {"a": 1, "b": 2} if number < 130 else dict.fromkeys(KEYS, 1))
    span.end()

    record = decode(span_encoder(bench.scopes, 1 << 20).encode_end(ended.spans[0])[0])
    assert isinstance(record, Span)

    assert record.extras == {
        records.EXTRA_DROPPED_ATTRIBUTES: 3,
        records.EXTRA_DROPPED_EVENTS: 3,
        records.EXTRA_DROPPED_LINKS: 2,
    }
    assert [event.dropped_attributes for event in record.events] == [*[0] * 127, 1]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, (0, None)),
        (Status(StatusCode.OK), (1, None)),
        (Status(StatusCode.ERROR), (2, None)),
        (Status(StatusCode.ERROR, ""), (2, "")),
        (Status(StatusCode.ERROR, "boom \udcff"), (2, "boom \\udcff")),
    ],
)
def test_the_status_is_recorded(
    bench: Bench, status: Status | None, expected: tuple[int, str | None]
) -> None:
    """Code and description come back; an empty description is not the same as none."""
    span = bench.tracer.start_span("work")
    if status is not None:
        span.set_status(status)
    span.end()

    record = bench.encode(bench.ended.spans[-1])

    assert (record.status_code, record.status_description) == expected


def test_a_status_given_at_creation_is_recorded(bench: Bench) -> None:
    """Spans made by hand may share no status object with the SDK's."""
    span = ReadableSpan("made by hand", SpanContext(1, 2, False), status=Status(StatusCode.UNSET))

    assert bench.encode(span).status_code == 0


@pytest.mark.parametrize("is_remote", [False, True])
def test_the_parent_is_recorded(bench: Bench, is_remote: bool) -> None:
    """Its span id, and whether it is in another process; its flags are its own affair."""
    parent = SpanContext(1 << 100, 1 << 60, is_remote, TraceFlags(0xFF))
    context = trace.set_span_in_context(NonRecordingSpan(parent))
    span = bench.encode(bench.ended_span(context=context))

    assert span.trace_id == 1 << 100
    assert span.parent_span_id == 1 << 60
    assert span.is_local_root is is_remote


def test_a_start_says_who_works_on_what(bench: Bench) -> None:
    """A start record has the span's identity and its thread, and no attributes yet."""
    span = bench.tracer.start_span("work", attributes={"a": 1}, start_time=5)
    start = decode(bench.encoder.encode_start(span, 77)[0])

    assert isinstance(start, SpanStart)
    assert (start.name, start.start_ns, start.thread_id) == ("work", 5, 77)
    assert start.attributes is None
    span.end()


def test_a_checkpoint_says_what_is_known_so_far(bench: Bench) -> None:
    """A checkpoint is a start record with attributes."""
    span = bench.tracer.start_span("work", attributes={"a": 1})
    span.set_attribute("b", "\ud800")
    start = decode(bench.encoder.encode_checkpoint(span, 77)[0])

    assert isinstance(start, SpanStart)
    assert start.attributes == {"a": 1, "b": "\\ud800"}
    assert bench.encoder.converted == 1
    span.end()


@pytest.mark.parametrize("name", ["x" * 10_000, "\ud800", object()], ids=["long", "odd", "foreign"])
def test_a_start_with_an_odd_name_is_recorded(bench: Bench, name: Any) -> None:
    """What the fast way refuses goes the careful one, also when a span starts."""
    span = bench.tracer.start_span(name)
    data, scope = bench.encoder.encode_start(span, 77)

    start = decode(data)
    assert isinstance(start, SpanStart)
    assert start.thread_id == 77
    assert len(data) <= LIMIT
    assert scope == bench.encoder.encode_end(span)[1]
    span.end()


def test_an_open_span_ends_when_it_is_looked_at(bench: Bench) -> None:
    """A span that is still open is recorded with all it has, and the moment as its end."""
    span = bench.tracer.start_span("work", attributes={"a": 1})
    span.add_event("half way")
    data, _ = bench.encoder.encode_open(span, 10**18)

    record = decode(data)
    assert isinstance(record, OpenSpan)
    assert record.end_ns == 10**18
    assert (record.attributes, record.events[0].name) == ({"a": 1}, "half way")
    span.end()


def test_one_thread_can_look_at_what_another_one_changes(bench: Bench) -> None:
    """Checkpoints never fail over attributes that come and go meanwhile."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("work")
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            span.set_attribute(f"key {number}", number)
            span.add_event("event")

    thread = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        for _ in range(100):
            assert isinstance(decode(bench.encoder.encode_checkpoint(span, 0)[0]), SpanStart)
            assert isinstance(decode(bench.encoder.encode_open(span, 1)[0]), OpenSpan)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    span.end()


PORTABLE = """
import sys
from otel_flight.interpreter.sdk import internals as sdk_internals
assert sdk_internals.HAS_KNOWN_FIELDS
sdk_internals.HAS_KNOWN_FIELDS = sys.argv[1] == "fast"
del sys.modules["otel_flight.recording.span_processor"]  # which has asked already

import tempfile
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, StatusCode, TraceFlags
from tests.support.rigs.recording_rig import RecordingRig

class Counting(IdGenerator):
    count = 0
    def generate_span_id(self):
        self.count += 1
        return self.count
    generate_trace_id = generate_span_id

with tempfile.TemporaryDirectory() as folder, RecordingRig(Path(folder) / "ring") as rig:
    rig.tracer.id_generator = Counting()
    remote = trace.set_span_in_context(NonRecordingSpan(SpanContext(9, 8, True, TraceFlags(1))))
    root = rig.tracer.start_span("root", remote, attributes={"a": [1, 2]}, start_time=1)
    inside = trace.set_span_in_context(root)
    link = Link(SpanContext(5, 6, True), {"why": "batch"})
    child = rig.tracer.start_span("child", inside, links=[link], start_time=2)
    child.add_event("exception", {"exception.type": "ValueError"}, 3)
    child.set_status(StatusCode.ERROR, "boom")
    child.set_attribute("big", 1 << 70)
    child.end(4)
    quiet = rig.tracer.start_span(None, inside, start_time=2.5)
    quiet.end(5)
    root.end(6)
    for item in rig.recorded():
        if hasattr(item.record, "thread_id"):
            item.record.thread_id = 0
            item.record.attributes = None  # the fast encoder leaves them out of starts
        print(item)
    print([(span.name, is_root) for span, is_root in rig.notable if not span.status.is_unset])
    print(rig.guard.errors(), rig.session.open_spans.spans, rig.session.open_spans.roots)
"""


def test_an_sdk_we_do_not_know_makes_the_same_records() -> None:
    """Without the private fields, processor and encoder do the same by public properties."""
    fast, portable = (
        subprocess.run(
            [sys.executable, "-c", PORTABLE, how],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        for how in ("fast", "portable")
    )

    assert fast.stderr == portable.stderr == ""
    assert fast.stdout == portable.stdout
    assert fast.stdout.count("Recorded(") == 4
    assert fast.stdout.splitlines()[-1] == "() {} {}"
