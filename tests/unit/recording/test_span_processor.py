"""What happens inside the host's `Span.start()` and `Span.end()`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
)

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.guard import Guard
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.next_root import NextRoot
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from tests.support.implementations.hot_paths import HOT_PATHS
from tests.support.rigs.recording_rig import RecordingRig

SAMPLED = TraceFlags(1)


@pytest.fixture(params=HOT_PATHS)
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RecordingRig]:
    """A processor with a real ring."""
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB", compiled=request.param) as rig:
        yield rig


def under(parent: Any) -> Any:
    """Return a context with a parent, a span or a span context."""
    span = NonRecordingSpan(parent) if isinstance(parent, SpanContext) else parent
    return trace.set_span_in_context(span)


class TestRecording:
    """What is recorded of a span."""

    def test_a_local_root_leaves_its_start_and_its_end(self, rig: RecordingRig) -> None:
        """A killed process still shows which requests it was serving."""
        span = rig.tracer.start_span("request", under(SpanContext(1, 2, True, SAMPLED)))
        (start,) = rig.starts()
        span.end()

        assert start.thread_id == threading.get_ident()
        assert start.is_local_root
        assert [record.span_id for record in rig.spans()] == [start.span_id]

    def test_another_span_leaves_its_end_only(self, rig: RecordingRig) -> None:
        """Most spans are short: the ticker records the start of those that are not."""
        rig.tracer.start_span("query", under(SpanContext(1, 2, False, SAMPLED))).end()

        assert rig.starts() == []
        assert [record.name for record in rig.spans()] == ["query"]

    def test_open_spans_are_known_until_they_end(self, rig: RecordingRig) -> None:
        """Roots are known with their thread, too."""
        root = rig.tracer.start_span("root")
        child = rig.tracer.start_span("child", under(root))
        table = rig.session.open_spans
        ids = [span.get_span_context().span_id for span in (root, child)]
        assert list(table.spans) == ids
        assert list(table.roots) == ids[:1]
        assert table.roots[ids[0]][:3] == (root, threading.get_ident(), None)
        assert 0 <= monotonic_ns() - table.roots[ids[0]][3] < 60e9

        child.end()
        root.end()

        assert table.spans == table.roots == {}

    def test_the_next_root_calls_what_waits_for_it(self, rig: RecordingRig) -> None:
        """Once, on its thread, however often that was asked for; and it is open like any other."""
        called: list[int] = []
        next_root = NextRoot(monotonic_ns, rig.guard)
        next_root.processors.add(rig.processor)
        for number in range(3):
            next_root.calls(partial(called.append, number))
        root = rig.tracer.start_span("root")
        rig.tracer.start_span("child", under(root)).end()
        other = rig.tracer.start_span("root")

        assert called == [2]
        opened = rig.session.open_spans.roots.values()
        assert all(0 <= monotonic_ns() - each[3] < 60e9 for each in opened)
        for span in (other, root):
            span.end()

    def test_long_open_spans_are_recorded_by_the_ticker(self, rig: RecordingRig) -> None:
        """Each span open at two ticks is recorded once, with its attributes so far."""
        root = rig.tracer.start_span("root", attributes={"route": "/"})
        child = rig.tracer.start_span("child", under(root), attributes={"table": "a"})
        for _ in range(4):
            rig.tick()

        assert [(start.name, start.attributes) for start in rig.starts()] == [
            ("root", None),
            ("root", {"route": "/"}),
            ("child", {"table": "a"}),
        ]
        child.end()
        root.end()

    def test_unsampled_spans_are_recorded_as_such(self, rig: RecordingRig) -> None:
        """Whatever reaches the processor is recorded, with the flag it has."""
        span = ReadableSpan("made by hand", SpanContext(1, 2, False), start_time=1, end_time=2)
        rig.processor.on_end(span)

        assert [record.is_sampled for record in rig.spans()] == [False]

    def test_a_span_ended_twice_is_recorded_once(self, rig: RecordingRig) -> None:
        """The SDK refuses the second end, with a warning of its own."""
        span = rig.tracer.start_span("work")
        span.end()
        span.end()

        assert len(rig.spans()) == 1

    def test_nothing_is_recorded_while_recording_is_off(self, rig: RecordingRig) -> None:
        """Spans that begin or end then leave no trace, and no error."""
        before = rig.tracer.start_span("before")
        rig.processor.disconnect()
        rig.tracer.start_span("off").end()
        before.end()

        assert rig.spans() == []
        assert rig.guard.errors() == ()

    def test_a_processor_without_a_session_does_nothing(self) -> None:
        """Before the recorder is started, spans pass by."""
        processor = RecordingSpanProcessor(FirstSpans(unwatched), Guard())
        span = ReadableSpan("work", SpanContext(1, 2, False))

        processor.on_end(span)

        assert processor._guard.errors() == ()

    def test_the_pipeline_is_learned_from_the_first_root(self, rig: RecordingRig) -> None:
        """It tells later whether someone exports already."""
        assert rig.processor.pipeline is None
        rig.tracer.start_span("root").end()

        assert rig.processor.pipeline is rig.provider._active_span_processor


class TestNotableEnds:
    """Which spans the triggers get to see."""

    def test_local_roots_and_spans_with_a_status_are_shown(self, rig: RecordingRig) -> None:
        """Roots to those who ask for them; all others are none of the triggers' business."""
        root = rig.tracer.start_span("root")
        for name, status in (("unset", None), ("ok", StatusCode.OK), ("error", StatusCode.ERROR)):
            child = rig.tracer.start_span(name, under(root))
            if status is not None:
                child.set_status(Status(status))
            child.end()
        root.end()
        rig.tracer.start_span("served", under(SpanContext(1, 2, True, SAMPLED))).end()

        assert [(span.name, is_root) for span, is_root in rig.notable] == [
            ("ok", False),
            ("error", False),
        ]
        assert [span.name for span in rig.root_ends] == ["root", "served"]

    def test_a_root_with_a_status_is_shown_as_both(self, rig: RecordingRig) -> None:
        """First as a span with a status: what went wrong comes before how long it took."""
        seen: list[str] = []
        rig.processor.record_into(
            rig.session,
            lambda span, root: seen.append(f"{span.name} ended"),
            lambda span, is_root: seen.append(f"{span.name} failed, {is_root}"),
        )

        root = rig.tracer.start_span("root")
        root.set_status(StatusCode.ERROR)
        root.end()

        assert seen == ["root failed, True", "root ended"]

    def test_spans_with_events_are_shown(self, rig: RecordingRig) -> None:
        """An exception on a span that ended without a status is one of its events."""
        inside = under(SpanContext(1, 2, False, SAMPLED))
        rig.tracer.start_span("without", inside).end()
        child = rig.tracer.start_span("with", inside)
        child.record_exception(ValueError("boom"))
        child.end()

        assert [span.name for span, _ in rig.notable] == ["with"]


class TestLaw:
    """Never raise."""

    @pytest.mark.parametrize("place", [0, 1], ids=["root_end", "notable_end"])
    def test_an_error_in_a_trigger_stays_here(self, rig: RecordingRig, place: int) -> None:
        """The span is recorded, the error noted, the other processors get their turn."""

        def fail(*arguments: object) -> None:
            raise RuntimeError("in a trigger")

        hooks = [unwatched, unwatched]
        hooks[place] = fail
        rig.processor.record_into(rig.session, hooks[0], hooks[1])
        after = rig.collect_ended()

        span = rig.tracer.start_span("work")
        span.set_status(StatusCode.ERROR)
        span.end()

        assert len(rig.spans()) == len(after) == 1
        assert [(error.place, error.count) for error in rig.guard.errors()] == [("on_end", 1)]
        assert rig.session.open_spans.roots == {}

    @pytest.mark.parametrize("span", [None, object(), "text"], ids=["none", "object", "text"])
    def test_what_is_no_span_is_no_problem(self, rig: RecordingRig, span: Any) -> None:
        """Whoever calls the processor with what."""
        rig.processor.on_start(span)
        rig.processor.on_end(span)

        assert {error.place for error in rig.guard.errors()} == {"on_start", "on_end"}

    def test_a_span_without_a_context_is_no_problem(self, rig: RecordingRig) -> None:
        """Spans made by hand may have none."""
        rig.processor.on_end(ReadableSpan("made by hand"))

        assert [error.place for error in rig.guard.errors()] == ["on_end"]

    def test_an_exception_for_the_host_gets_through(self, rig: RecordingRig) -> None:
        """A request to stop that arrives within the hook is not ours to keep."""

        def interrupt(span: ReadableSpan, root: OpenRoot | None) -> None:
            raise KeyboardInterrupt

        rig.processor.record_into(rig.session, interrupt, unwatched)

        with pytest.raises(KeyboardInterrupt):
            rig.tracer.start_span("work").end()
        assert rig.guard.errors() == ()

    def test_flushing_and_shutting_down_are_harmless(self, rig: RecordingRig) -> None:
        """The provider may do both at any time, and spans may end after it."""
        span = rig.tracer.start_span("work")
        rig.provider.force_flush()
        rig.provider.shutdown()
        span.end()

        assert [record.name for record in rig.spans()] == ["work"]

    def test_spans_started_by_another_processor_are_recorded(self, rig: RecordingRig) -> None:
        """Hooks may nest: a processor that makes spans of its own is not held up."""

        class Nesting(SpanProcessor):
            def on_start(self, span: Span, parent_context: Any = None) -> None:
                if span.name == "outer":
                    rig.tracer.start_span("inner").end()

        rig.provider.add_span_processor(Nesting())
        rig.tracer.start_span("outer").end()

        assert [record.name for record in rig.spans()] == ["inner", "outer"]
        assert rig.guard.errors() == ()


class TestBeforeRecording:
    """What happens until there is a session: it is noted, and replayed into that."""

    def test_a_span_leaves_nothing_but_a_note(self, rig: RecordingRig) -> None:
        """Nothing is recorded on the application's thread."""
        rig.processor.connect()
        rig.tracer.start_span("early").end()

        assert rig.recorded() == []
        assert len(rig.first_spans) == 2
        assert rig.guard.errors() == ()

    def test_what_is_replayed_is_as_if_it_had_been_recorded(self, rig: RecordingRig) -> None:
        """Threads and open spans are those of the application, and triggers see what ended."""
        rig.processor.connect()
        failing = threading.Thread(target=self._fail, args=[rig])
        failing.start()
        failing.join()
        still_open = rig.tracer.start_span("still open")

        rig.replay()

        assert [(start.name, start.thread_id) for start in rig.starts()] == [
            ("failed", failing.ident),
            ("still open", threading.get_ident()),
        ]
        assert [span.name for span in rig.spans()] == ["failed"]
        assert [span.name for span, _ in rig.notable] == ["failed"]
        assert list(rig.session.open_spans.spans.values()) == [still_open]
        assert list(rig.session.open_spans.roots) == [still_open.get_span_context().span_id]
        still_open.end()
        assert rig.session.open_spans.spans == rig.session.open_spans.roots == {}

    def test_a_silent_root_stays_silent(self, rig: RecordingRig) -> None:
        """A health check that began the recording makes no incident either."""
        rig.processor.connect()
        rig.processor.silence(7)
        root = ReadableSpan("health", SpanContext(1, 7, False), start_time=1, end_time=2)

        rig.processor.on_end(root)
        rig.replay()

        assert len(rig.spans()) == 1
        assert rig.root_ends == []

    @staticmethod
    def _fail(rig: RecordingRig) -> None:
        span = rig.tracer.start_span("failed")
        span.set_status(StatusCode.ERROR)
        span.end()


class TestForking:
    """A child process records for itself; here the pid is given, elsewhere processes are forked."""

    @pytest.fixture
    def forked(self, rig: RecordingRig) -> RecordingRig:
        """A processor as it is found in a child of which Python was not told, as under uWSGI."""
        rig.processor._pid = rig.first_spans._pid = os.getpid() + 1
        return rig

    def test_without_a_fork_hook_the_first_root_begins_anew(self, forked: RecordingRig) -> None:
        """Once; nothing is written into the parent's ring, and nothing is lost."""
        for _ in range(3):
            forked.tracer.start_span("work").end()

        assert forked.begun == 1
        assert forked.recorded() == []
        assert len(forked.first_spans) == 6

    def test_a_child_that_cannot_begin_does_not_try_again(self, forked: RecordingRig) -> None:
        """No span after the first pays for it, and the parent's ring stays untouched."""
        forked.meanwhile = forked.processor.disconnect
        for _ in range(3):
            forked.tracer.start_span("work").end()

        assert forked.begun == 1
        assert forked.recorded() == []
        assert len(forked.first_spans) == 1
