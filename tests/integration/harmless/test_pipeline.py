"""The pipeline of others is the same with the recorder as without it."""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Status, StatusCode

import otel_flight
from otel_flight import FlightRecorder

QUIET: dict[str, Any] = {"tail_seconds": 0, "export": "off", "cooldown_seconds": 0}


class OldSampler(Sampler):
    """Takes six arguments, as the interface had them for years; keeps what it is told to."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self.calls: list[tuple[Any, ...]] = []

    def should_sample(  # type: ignore[override]  # noqa: PLR0917
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
    ) -> SamplingResult:
        """Decide as told."""
        self.calls.append((parent_context, trace_id, name, kind, attributes, links))
        return SamplingResult(self._decision, attributes)

    def get_description(self) -> str:
        """Name it."""
        return "old"


class DropsHealthChecks(OldSampler):
    """A sampler with a rule: no health check, and all others."""

    def __init__(self) -> None:
        super().__init__(Decision.RECORD_AND_SAMPLE)

    def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:
        """Drop health checks."""
        result = super().should_sample(*arguments, **named)
        is_dropped = arguments[2].startswith("GET /health")
        return SamplingResult(Decision.DROP if is_dropped else result.decision, result.attributes)


class EveryFifth(OldSampler):
    """A sampler of someone's own that keeps one of five, whatever it is."""

    def __init__(self) -> None:
        super().__init__(Decision.DROP)

    def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:
        """Keep every fifth."""
        result = super().should_sample(*arguments, **named)
        is_kept = len(self.calls) % 5 == 0
        return SamplingResult(Decision.RECORD_AND_SAMPLE if is_kept else result.decision)


class Noting(SpanProcessor):
    """Ignores the sampled flag, as many do: notes what starts and what ends."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Note it."""
        self.started.append(span.name)

    def on_end(self, span: ReadableSpan) -> None:
        """Note it."""
        self.ended.append(span.name)


class Redacting(SpanProcessor):
    """Takes the card number out of what was recorded."""

    def on_end(self, span: ReadableSpan) -> None:
        """Replace it."""
        span._attributes = {**(span.attributes or {}), "card": "***"}


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    """Uninstall what a test installed."""
    yield
    otel_flight.uninstall()


def provider_with(sampler: Sampler | None = None, **options: Any) -> TracerProvider:
    """Return a provider that ends with the test."""
    return TracerProvider(sampler=sampler, shutdown_on_exit=False, **options)


def recorded(recorder: FlightRecorder) -> dict[str, dict[str, Any]]:
    """Return the attributes of the spans in the window, by their names."""
    return {span.record.name: span.record.attributes for span in recorder.snapshot().window.spans()}


@pytest.mark.parametrize("decision", list(Decision))
def test_a_sampler_is_called_as_the_sdk_calls_it(decision: Decision) -> None:
    """One that knows no trace state works as before, and is asked once for each span."""
    sampler = OldSampler(decision)
    provider = provider_with(sampler)
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)

    provider.get_tracer("test").start_span("a", attributes={"key": 1}).end()

    assert [call[2] for call in sampler.calls] == ["a"]
    assert recorded(recorder) == {"a": {"key": 1}}


def test_other_processors_see_no_more_than_before() -> None:
    """What is recorded because of us reaches us alone, whether it starts, ends or fails."""
    provider = provider_with(ParentBased(ALWAYS_OFF))
    other = Noting()
    provider.add_span_processor(other)
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    late = Noting()
    provider.add_span_processor(late)
    tracer = provider.get_tracer("test")

    with tracer.start_as_current_span("root"):
        tracer.start_span("child").end()

    assert (other.started, other.ended, late.started, late.ended) == ([], [], [], [])
    assert recorded(recorder).keys() == {"root", "child"}


def test_a_sampler_that_records_only_is_respected() -> None:
    """Other processors see the spans that its own sampler had recorded, as before."""
    provider = provider_with(OldSampler(Decision.RECORD_ONLY))
    other = Noting()
    provider.add_span_processor(other)
    otel_flight.install(tracer_provider=provider, **QUIET)

    provider.get_tracer("test").start_span("kept for others").end()

    assert other.ended == ["kept for others"]


def test_sampled_spans_reach_everyone_once() -> None:
    """Half of the spans by ratio: the others see the sampled ones, we see all."""
    provider = provider_with(TraceIdRatioBased(0.5))
    other = Noting()
    provider.add_span_processor(other)
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    tracer = provider.get_tracer("test")

    spans = [tracer.start_span(f"span {number}") for number in range(50)]
    for span in spans:
        span.end()

    sampled = [
        f"span {number}"
        for number, span in enumerate(spans)
        if span.get_span_context().trace_flags.sampled
    ]
    assert 0 < len(sampled) < 50
    assert other.started == other.ended == sampled
    assert len(recorded(recorder)) == 50


def test_a_processor_that_redacts_comes_before_us() -> None:
    """Also when it is added later; nothing that it took out is in the window."""
    provider = provider_with()
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    provider.add_span_processor(Redacting())

    provider.get_tracer("test").start_span("pay", attributes={"card": "4111"}).end()

    assert recorded(recorder) == {"pay": {"card": "***"}}


def test_what_another_processor_raises_is_still_the_hosts() -> None:
    """The host sees the exception as before, and the span is recorded all the same."""

    class Raising(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise LookupError("of another processor")

    provider = provider_with()
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    provider.add_span_processor(Raising())

    with pytest.raises(LookupError):
        provider.get_tracer("test").start_span("a").end()

    assert recorded(recorder).keys() == {"a"}


def test_a_dropped_health_check_never_fires() -> None:
    """A rule that drops it says that nobody wants to know; it is recorded, and what fails below."""
    provider = provider_with(DropsHealthChecks())
    recorder = otel_flight.install(tracer_provider=provider, slow_root_seconds=0.001, **QUIET)
    tracer = provider.get_tracer("test")

    for _ in range(3):
        with tracer.start_as_current_span("GET /health") as root:
            tracer.start_span("database").set_status(Status(StatusCode.ERROR))
            child = tracer.start_span("database")
            child.set_status(Status(StatusCode.ERROR))
            child.end()
            root.set_status(Status(StatusCode.ERROR))
        tracer.start_span("GET /orders").end()

    recorder.stop()
    assert recorder.statistics().firings == {}
    assert recorder.statistics().spans.written_records > 9


def test_a_stopped_recorder_keeps_no_ids_of_dropped_spans() -> None:
    """The sampler goes on to drop; nothing takes away what is noted of spans nobody records."""
    provider = provider_with(DropsHealthChecks())
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    tracer = provider.get_tracer("test")
    tracer.start_span("GET /health").end()
    recorder.stop()

    for _ in range(3):
        tracer.start_span("GET /health").end()

    (processor,) = (
        each
        for each in provider._active_span_processor._span_processors
        if isinstance(each, otel_flight.FlightSpanProcessor)
    )
    assert not processor._silent


def test_a_request_dropped_by_chance_fires() -> None:
    """A sampler of someone's own that keeps one of five drops no kind of request by rule."""
    provider = provider_with(EveryFifth())
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    tracer = provider.get_tracer("test")
    for number in range(11):
        tracer.start_span(f"GET /orders/{number}").end()

    with tracer.start_as_current_span("GET /orders/99") as span:
        span.set_status(Status(StatusCode.ERROR))

    recorder.stop()
    assert recorder.statistics().firings == {("error_span", "opened"): 1}


def test_a_request_dropped_by_a_known_rate_limit_fires() -> None:
    """A vendor's sampler that limits the rate kept other requests and none of this kind yet."""

    class RateLimitedSampler(DropsHealthChecks):
        __module__ = "azure.monitor.opentelemetry.exporter.export.trace._rate_limited_sampling"

    provider = provider_with(RateLimitedSampler())
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    tracer = provider.get_tracer("test")
    tracer.start_span("GET /orders").end()

    with tracer.start_as_current_span("GET /health") as span:
        span.set_status(Status(StatusCode.ERROR))

    recorder.stop()
    assert recorder.statistics().firings == {("error_span", "opened"): 1}


def test_a_concurrent_pipeline() -> None:
    """Ours is called on the thread that ends the span; the others as before; all are shut down."""
    pipeline = ConcurrentMultiSpanProcessor()
    provider = provider_with(active_span_processor=pipeline)
    other = Noting()
    provider.add_span_processor(other)
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    tracer = provider.get_tracer("test")

    span = tracer.start_span("a")
    (start,) = recorder.snapshot().window.starts()
    span.end()
    assert provider.force_flush()
    assert recorded(recorder).keys() == {"a"}
    provider.shutdown()

    assert start.thread_id == threading.get_ident()
    assert other.ended == ["a"]
    assert not recorder.enabled


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_two_providers_share_one_recorder() -> None:
    """What is process-wide exists once: one exception of a thread is one incident, not two."""
    first, second = provider_with(), provider_with()
    recorder = otel_flight.install(tracer_provider=first, **QUIET)
    again = otel_flight.install(tracer_provider=second, **QUIET)
    first.get_tracer("test").start_span("of the first").end()
    second.get_tracer("test").start_span("of the second").end()

    failing = threading.Thread(target=lambda: 1 / 0)
    failing.start()
    failing.join()

    assert again is recorder
    assert {"of the first", "of the second"} <= recorded(recorder).keys()
    second.shutdown()
    assert recorder.enabled, "the first provider still feeds it"
    first.shutdown()
    assert recorder.statistics().firings == {("unhandled_exception", "opened"): 1}


def test_a_hundred_providers() -> None:
    """Each feeds the one recorder; nothing is left behind."""
    threads = threading.active_count()
    providers = [provider_with() for _ in range(100)]
    recorders = {otel_flight.install(tracer_provider=each, **QUIET) for each in providers}

    for number, provider in enumerate(providers):
        provider.get_tracer("test").start_span(f"span {number}").end()

    (recorder,) = recorders
    assert len(recorded(recorder)) == 100
    assert threading.active_count() <= threads + 2


def test_other_settings_later_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """The recorder keeps its settings, and one warning names those that are ignored."""
    provider = provider_with()
    otel_flight.install(tracer_provider=provider, **QUIET)
    with caplog.at_level(logging.WARNING, "otel_flight"):
        otel_flight.install(tracer_provider=provider, slow_root_seconds=9, **QUIET)
        otel_flight.install(tracer_provider=provider, slow_root_seconds=9, **QUIET)

    (record,) = caplog.records
    assert "slow_root_seconds" in record.getMessage()
    assert "tail_seconds" not in record.getMessage()


def test_a_provider_around_the_sdks_is_looked_into() -> None:
    """One that keeps the SDK's as its `provider`, as some distributions do."""

    class Around(trace.TracerProvider):
        def __init__(self, inner: trace.TracerProvider) -> None:
            self.provider = inner

        def get_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
            return self.provider.get_tracer(*arguments, **named)

    provider = Around(Around(provider_with()))
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)

    provider.get_tracer("test").start_span("a").end()

    assert recorded(recorder).keys() == {"a"}


@pytest.mark.parametrize("how", ["setting", "variable", "foreign"])
def test_what_records_nothing_can_be_used(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that holds the recorder need not know whether there is one."""
    provider: trace.TracerProvider = provider_with()
    options = dict(QUIET)
    if how == "setting":
        options["enabled"] = "0"
    elif how == "variable":
        monkeypatch.setitem(os.environ, "OTEL_SDK_DISABLED", "TRUE")
    else:
        provider = trace.NoOpTracerProvider()

    recorder = otel_flight.install(tracer_provider=provider, **options)
    provider.get_tracer("test").start_span("a").end()

    assert recorder.trigger("by hand") is None
    assert not recorder.enabled
    assert recorder.statistics().spans.written_records == 0
    assert getattr(provider, "_active_span_processor", None) is None or not (
        provider._active_span_processor._span_processors  # type: ignore[attr-defined]
    )


def test_repeated_span_ids_are_open_twice() -> None:
    """A program that seeds `random` makes the same ids again: no open span is lost by that."""
    provider = provider_with()
    recorder = otel_flight.install(tracer_provider=provider, **QUIET)
    tracer = provider.get_tracer("test")
    state = random.getstate()
    try:
        random.seed(1)
        first = tracer.start_span("first")
        random.seed(1)
        second = tracer.start_span("second")
    finally:
        random.setstate(state)

    assert first.get_span_context().span_id == second.get_span_context().span_id
    assert recorder.statistics().open_spans == 2
    first.end()
    assert [span.record.name for span in recorder.snapshot().window.unfinished()] == ["second"]
    second.end()
    assert recorder.statistics().open_spans == 0
    assert [span.record.name for span in recorder.snapshot().window.spans()] == ["first", "second"]


def test_uninstalling_restores_the_pipeline() -> None:
    """No method of the pipeline, no sampler and no processor of ours is left."""
    provider = provider_with(TraceIdRatioBased(0.5))
    sampler, pipeline = provider.sampler, provider._active_span_processor
    before = dict(vars(pipeline))
    otel_flight.install(tracer_provider=provider, **QUIET)

    otel_flight.uninstall()

    assert vars(pipeline) == before
    assert provider.sampler is sampler
