"""Which spans are light ones, in an installed recorder, and that the program cannot tell."""

from __future__ import annotations

import queue
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    Span,
    SpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import otel_flight
from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.ticker import QUIET_TICKS

QUIET: dict[str, Any] = {"tail_seconds": 0, "export": "off", "cooldown_seconds": 0}


class Ratio(TraceIdRatioBased):
    """A sampler of someone's own."""


class CountingSampler(Sampler):
    """Keeps what it is told to, and counts how often it is asked."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.asked: list[str] = []

    def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:
        """Decide as told."""
        self.asked.append(named.get("name") or arguments[2])
        return SamplingResult(self.decision)

    def get_description(self) -> str:
        """Name it."""
        return "counting"


class Foreign(SpanProcessor):
    """Somebody else's."""


class Errors(BatchSpanProcessor):
    """Exports what failed."""

    def on_end(self, span: ReadableSpan) -> None:
        """Export it if it failed."""


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    """Uninstall what a test installed."""
    yield
    otel_flight.uninstall()


def simple() -> SpanProcessor:
    """Return the SDK's processor that exports at once."""
    return SimpleSpanProcessor(InMemorySpanExporter())


def installed(
    sampler: Sampler | None = None, *processors: SpanProcessor, **options: Any
) -> tuple[Tracer, otel_flight.FlightRecorder, TracerProvider]:
    """Return a tracer of a provider in which a recorder records."""
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False, **options)
    for processor in processors:
        provider.add_span_processor(processor)
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    recorder.start()
    return provider.get_tracer("test"), recorder, provider  # type: ignore[return-value]


def are_light(tracer: Tracer, parent: Any = None) -> list[bool]:
    """Start a span, one below it, and one below that; return which of them are light."""
    found = []
    spans = []
    context = parent
    for name in "abc":
        span = tracer.start_span(name, context)
        spans.append(span)
        found.append(isinstance(span, LightSpan))
        context = trace.set_span_in_context(span)
    for span in reversed(spans):
        span.end()
    return found


@pytest.mark.parametrize(
    ("sampler", "processors", "expected"),
    [
        pytest.param(None, [], True, id="default"),
        pytest.param(ALWAYS_OFF, [], True, id="always-off"),
        pytest.param(TraceIdRatioBased(0), [], True, id="ratio"),
        pytest.param(ParentBased(ALWAYS_OFF), [], True, id="parent-based-off"),
        pytest.param(Ratio(1), [], True, id="own-sampler"),
        pytest.param(None, [simple], True, id="sampled-and-exported"),
        pytest.param(ParentBased(ALWAYS_OFF), [simple], True, id="unsampled-and-exported"),
        pytest.param(ALWAYS_OFF, [simple], True, id="always-off-and-exported"),
        pytest.param(Ratio(0), [simple], True, id="own-sampler-drops"),
        pytest.param(ParentBased(ALWAYS_OFF), [simple, simple], True, id="two-exporters"),
        pytest.param(ParentBased(ALWAYS_OFF), [Foreign], False, id="foreign"),
        pytest.param(ParentBased(ALWAYS_OFF), [simple, Foreign], False, id="one-foreign"),
        pytest.param(
            ParentBased(ALWAYS_OFF),
            [lambda: Errors(InMemorySpanExporter())],
            False,
            id="subclass-of-the-sdks",
        ),
    ],
)
def test_what_nobody_else_looks_at_is_light(
    sampler: Sampler | None, processors: list[Callable[[], SpanProcessor]], expected: bool
) -> None:
    """All spans, where there are no other processors than those of the SDK that export."""
    made = [make() for make in processors]
    tracer, recorder, provider = installed(sampler, *made)

    assert are_light(tracer) == [expected] * 3
    assert {span.name for span in recorder.snapshot().window.spans()} >= {"a", "b", "c"}
    provider.shutdown()


def test_what_is_exported_is_what_the_sdk_exports() -> None:
    """The sampled ones, once each, as spans of exactly the SDK's kind, with all that is in them."""
    told = []
    for is_installed in (False, True):
        exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=TraceIdRatioBased(0.5), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        if is_installed:
            otel_flight.install(tracer_provider=provider, **QUIET).start()
        tracer = provider.get_tracer("test")
        random.seed(1)
        for number in range(50):
            with (
                suppress(ValueError),
                tracer.start_as_current_span("root", attributes={"n": number}),
                tracer.start_as_current_span("child") as child,
            ):
                assert isinstance(child, LightSpan) == is_installed
                child.set_attribute("list", ["a"])
                child.add_event("event", {"key": number})
                raise ValueError("why")
        provider.force_flush()
        spans = exporter.get_finished_spans()
        assert {type(span) for span in spans} == {ReadableSpan}
        told.append(
            [
                (
                    span.name,
                    span.context,
                    span.parent,
                    span.attributes,
                    span.status.description,
                    [(event.name, set(event.attributes or ())) for event in span.events],
                )
                for span in spans
            ]
        )
        provider.shutdown()

    assert 0 < len(told[0]) < 100
    assert told[0] == told[1]


@pytest.mark.parametrize("light_spans", ["auto", "python"])
def test_what_an_exporting_processor_raises_is_the_programs(
    light_spans: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with spans of the SDK; the span is recorded all the same."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(simple())
    recorder = otel_flight.install(tracer_provider=provider, light_spans=light_spans, **QUIET)
    recorder.start()
    span = provider.get_tracer("test").start_span("a")
    assert isinstance(span, LightSpan)

    def on_end(*_: object) -> None:
        raise KeyError("not today")

    monkeypatch.setattr(SimpleSpanProcessor, "on_end", on_end)

    with pytest.raises(KeyError, match="not today"):
        span.end()
    assert [each.name for each in recorder.snapshot().window.spans()] == ["a"]


def test_a_concurrent_pipeline_has_spans_of_the_sdk() -> None:
    """Its processors are called on other threads."""
    pipeline = ConcurrentMultiSpanProcessor(2)
    tracer, _, provider = installed(None, active_span_processor=pipeline)

    assert are_light(tracer) == [False] * 3
    provider.shutdown()


def test_a_processor_that_is_added_later_sees_the_next_span() -> None:
    """From then on spans are the SDK's; of a light one that is open it sees the end, as ever."""
    tracer, recorder, provider = installed()
    before = tracer.start_span("before")
    seen: list[str] = []

    class Noting(SpanProcessor):
        def on_start(self, span: Span, parent_context: Any = None) -> None:
            seen.append(span.name)

        def _on_ending(self, span: Span) -> None:
            span.set_attribute("ending", True)

        def on_end(self, span: ReadableSpan) -> None:
            seen.append(span.name)

    provider.add_span_processor(Noting())
    tracer.start_span("after").end()
    before.end()

    assert isinstance(before, LightSpan)
    assert seen == ["after", "after", "before"]
    assert {span.name for span in recorder.snapshot().window.spans()} == {"before", "after"}


def test_flags_are_as_the_sampler_says() -> None:
    """What is propagated is what it would be without the recorder."""
    for sampler, flag in ((None, 1), (ParentBased(ALWAYS_OFF), 0)):
        tracer, _, _ = installed(sampler)
        with tracer.start_as_current_span("a") as span, tracer.start_as_current_span("b") as child:
            assert span.get_span_context().trace_flags & 1 == flag
            assert child.get_span_context().trace_flags == span.get_span_context().trace_flags
        otel_flight.uninstall()


@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("processors", [[], [simple]], ids=["alone", "exported"])
def test_a_remote_parent_decides(flag: int, processors: list[Callable[[], SpanProcessor]]) -> None:
    """A trace that began elsewhere goes on as was decided there."""
    tracer, recorder, _ = installed(None, *[make() for make in processors])
    remote = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(flag))

    found = are_light(tracer, trace.set_span_in_context(NonRecordingSpan(remote)))

    assert found == [True] * 3
    spans = {span.name: span.record for span in recorder.snapshot().window.spans()}
    assert {span.trace_id for span in spans.values()} == {7}
    assert spans["a"].parent_span_id == 8


@pytest.mark.parametrize("decision", list(Decision))
@pytest.mark.parametrize("processors", [[], [simple]], ids=["alone", "exported"])
def test_a_sampler_is_asked_once_for_a_span(
    decision: Decision, processors: list[Callable[[], SpanProcessor]]
) -> None:
    """Also one of someone's own, and whatever it decides."""
    sampler = CountingSampler(decision)
    tracer, recorder, _ = installed(sampler, *[make() for make in processors])

    are_light(tracer)

    assert sampler.asked == ["a", "b", "c"]
    assert {span.name for span in recorder.snapshot().window.spans()} == {"a", "b", "c"}


def test_a_start_span_that_someone_patched_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees every span that starts."""
    tracer, _, _ = installed()
    seen = []
    theirs = Tracer.start_span

    def start_span(self: Tracer, name: str, *arguments: Any, **named: Any) -> Any:
        seen.append(name)
        return theirs(self, name, *arguments, **named)

    monkeypatch.setattr(Tracer, "start_span", start_span)

    assert are_light(tracer) == [False] * 3
    assert seen == ["a", "b", "c"]


def test_a_start_span_of_one_tracer_is_called() -> None:
    """With its arguments by name, as the SDK gives them."""
    tracer: Any = installed()[0]
    seen: list[dict[str, Any]] = []
    theirs = tracer.start_span

    def start_span(**named: Any) -> Any:
        seen.append(named)
        return theirs(**named)

    tracer.start_span = start_span
    with tracer.start_as_current_span("a", attributes={"b": 1}) as span:
        pass

    assert [(each["name"], each["attributes"]) for each in seen] == [("a", {"b": 1})]
    assert span.attributes == {"b": 1}


def test_a_method_of_spans_that_someone_patched_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was patched to see all spans of the SDK."""
    seen = []
    theirs = Span.end

    def end(self: Span, end_time: int | None = None) -> None:
        seen.append(self.name)
        theirs(self, end_time)

    monkeypatch.setattr(Span, "end", end)
    tracer, _, _ = installed()

    assert are_light(tracer) == [False] * 3
    assert seen == ["c", "b", "a"]


@pytest.mark.parametrize("light", ["auto", "python", "off"])
def test_a_root_ends_the_long_wait_of_a_quiet_process(light: str) -> None:
    """What it does is looked at as soon as in a busy one."""
    provider = TracerProvider(shutdown_on_exit=False)
    options = {**QUIET, "tick_seconds": 10.0, "light_spans": light}
    recorder = otel_flight.install(tracer_provider=provider, **options)
    recorder.start()
    run: Any = recorder._run
    begun: queue.Queue[float] = queue.Queue()

    class Watcher:
        def wait_begins(self, seconds: float) -> None:
            begun.put(seconds)

        def wait_is_over(self) -> None: ...

        def task_is_over(self) -> None: ...

    run._ticker._waits.watchers += (Watcher(),)
    run._ticker.wake()
    while begun.get(timeout=20) < 20:
        run._ticker._quiet_ticks = QUIET_TICKS
        run._ticker.wake()
    provider.get_tracer("test").start_span("root").end()

    while begun.get(timeout=20) != 10:  # one more tick may have been asked for before
        pass
    recorder.stop()


def test_a_stopped_recorder_makes_no_light_spans() -> None:
    """Nobody would record them; and they come back with it."""
    tracer, recorder, _ = installed()

    recorder.stop()
    stopped = are_light(tracer)
    recorder.start()

    assert stopped == [False] * 3
    assert are_light(tracer) == [True] * 3


def test_off_means_off() -> None:
    """Tracers are not touched then."""
    provider = TracerProvider(shutdown_on_exit=False)
    before = trace.use_span
    otel_flight.install(tracer_provider=provider, light_spans="off", **QUIET).start()
    tracer = provider.get_tracer("test")

    assert type(tracer) is Tracer
    assert "get_tracer" not in vars(provider)
    assert trace.use_span is before


def test_nothing_is_left_after_uninstall() -> None:
    """Tracers, sampler, provider and API are what they were; spans that are open still end."""
    sampler = ParentBased(ALWAYS_ON)
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    known = provider.get_tracer("known")
    before = dict(vars(known)), set(vars(provider)), trace.use_span
    otel_flight.install(tracer_provider=provider, **QUIET).start()
    new = provider.get_tracer("new")
    span = new.start_span("open")

    otel_flight.uninstall()
    span.end()

    assert (dict(vars(known)), set(vars(provider)), trace.use_span) == before
    assert type(known) is Tracer
    assert new.sampler is sampler  # type: ignore[attr-defined]
    assert type(new.start_span("after")) is not LightSpan


def test_an_error_in_a_light_span_makes_its_incident() -> None:
    """With its exception, its stack trace and its parent."""
    tracer, recorder, _ = installed(ParentBased(ALWAYS_OFF), simple())

    with (
        pytest.raises(ValueError, match="why"),
        tracer.start_as_current_span("root"),
        tracer.start_as_current_span("child", attributes={"key": 1}),
    ):
        raise ValueError("why")

    spans = {span.name: span.record for span in recorder.snapshot().window.spans()}
    assert spans["child"].parent_span_id == spans["root"].span_id
    assert spans["child"].status_code == 2
    assert [event.name for event in spans["child"].events] == ["exception"]
    recorder.stop()
    assert recorder.statistics().incidents_written == 1
