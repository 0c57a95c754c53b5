"""The hot path: what happens inside `Span.start()` and `Span.end()` of the host.

The law of this file: never raise, never wait, never log, no I/O. An exception here would reach user
code and starve the processors after us (opentelemetry-python #5624). What records is imported when
it begins, and not here.
"""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import get_ident
from otel_flight.interpreter.sdk import internals as sdk_internals
from otel_flight.interpreter.sdk.pipeline import pipeline_of_span
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.ordinary_spans import READ_BY_POSITION, is_start_written, is_written
from otel_flight.ring.layout import LANE_SPANS

_UNSET: Final = sdk_internals.unset_status()

RootEnd = Callable[[ReadableSpan, Any], None]
"""This is called with each local root that ended, and the `open_spans.OpenRoot` it was, or None, on
the application's thread, under the law of this file."""

NotableEnd = Callable[[ReadableSpan, bool], None]
"""This is called with a span that ended, and whether it is a local root, if its status was set or
it has events. It is called as `RootEnd` is, and before it."""


def unwatched(*_: object) -> None:
    """Do nothing: the hook where no trigger asks for one."""


class RecordingSpanProcessor(SpanProcessor):
    """Mirror every recording span into a lane of the ring.

    Args:
        first_spans: takes what there is before there is a session.
        guard: notes what fails.

    Attributes:
        is_recording: spans are recorded; while False and `is_connected` they are noted.
        is_connected: whether spans are looked at; False: there is nobody to record them for.
        tracer_type: the kind of tracer that makes spans of our own; None: there are to be none.
        pipeline: the SDK object that calls all processors of the provider; None before the first
            local root. It tells whether someone exports already.
    """

    __slots__ = READ_BY_POSITION

    def __init__(self, first_spans: FirstSpans, guard: Guard) -> None:
        self.is_recording = self.is_connected = False
        self.tracer_type: type | None = None
        self.pipeline: Any = None
        self._first_spans = first_spans
        self._guard = guard
        self._silent = first_spans.silent

    def silence(self, span_id: int) -> None:
        """Let no trigger see a local root that is about to start, nor what is below it."""
        if self.is_connected:
            self._silent[span_id] = None

    def connect(self) -> None:
        """Note spans, until there is a session to record them into. Also in a forked child."""
        self.is_recording, self.is_connected = False, True

    def disconnect(self) -> None:
        """Ignore spans from now on."""
        self.is_recording = self.is_connected = False

    def record_into(
        self,
        session: Any,
        root_end: RootEnd,
        notable_end: NotableEnd,
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        """Record into a session from now on: after a start, or in a forked child.

        Args:
            session: what to record into, a `session.RecordingSession`.
            root_end: called with local roots that ended.
            notable_end: called with spans that ended with a status or have events.
            now_ns: the monotonic clock, by which local roots are open.
        """
        self._pid, session.end_again = session.pid, self.end_again
        self._open = session.open_spans.spans
        self._roots, self._late = session.open_spans.roots, session.open_spans.late
        session.open_spans.silent = self._silent
        self._current_task = session.current_task_reference
        # In pairs: what one session's encoder made would say something else in another's lane, and
        # a thread may be between the two when recording begins anew.
        append = session.lanes[LANE_SPANS].append
        self._record_start = session.encoder.encode_start, append
        self._record_end = session.encoder.encode_end, append
        self._record_long_end = session.encoder.encode_long_end, append
        self._root_end, self._notable_end, self._now_ns = root_end, notable_end, now_ns
        writers: tuple[Any, Any] = session.writers or (None, None)
        self._write, self._write_start = writers
        self._write_light, self.tracer_type = session.write_light, session.light_tracer
        self.is_recording = self.is_connected = True

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """Note the span as open; a local root is recorded at once."""
        try:
            if not self.is_recording:
                self._note_start(span)
                return
            if self._open.setdefault(span._context[1], span) is not span:  # type: ignore[index]
                self._open[_key_of_twin(span._context)] = span
            parent = span._parent
            if parent is None or parent[2]:
                self._root_started(span, get_ident(), self._current_task(), self._now_ns())
        except Exception as error:  # noqa: BLE001
            self._guard.note("on_start", error)

    def _on_ending(self, span: Span) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        """Encode the span into the ring, and show it to the triggers when it is notable."""
        try:
            if not self.is_recording:
                self._note_end(span)
                return
            context = span._context
            span_id = context[1]  # type: ignore[index]
            opened = self._open.pop(span_id, None)
            is_known = opened is not None and opened._context is context
            if not is_known and self._close_twin(span_id, opened, context):
                return
            parent = span._parent
            status = span._status
            write = self._write
            written = False if write is None or status is not _UNSET else is_written(write, span)
            if not written:
                encode, append = self._record_end if written is False else self._record_long_end
                data, scope = encode(span)
                append(data, scope)
            is_root = parent is None or parent[2]
            if is_root:
                root = self._roots.pop(span_id, None)
                if self._silent and self._silent.pop(span_id, 0) is None:
                    return
            if status is not _UNSET or (
                written is not True and span._events._dq  # type: ignore[attr-defined]
            ):
                self._notable_end(span, is_root)
            if is_root:
                root_end = self._root_end
                root_end(span, root)
        except Exception as error:  # noqa: BLE001
            self._guard.note("on_end", error)

    def on_light_end(self, span: LightSpan) -> None:
        """Do what `on_end` does, for a span of our own."""
        try:
            own = span._own
            if own is None or span._status is not _UNSET or not self.is_recording:
                self.on_end(span)
                return
            context: Any = span._context
            span_id = context[1]
            opened = self._open.pop(span_id, None)
            if opened is not span and self._close_twin(span_id, opened, context):
                return
            parent = span._parent
            if not self._write_light(
                context,
                parent,
                span._resource,
                span._instrumentation_scope,
                span._name,
                span._kind,
                span._start_time,
                span._end_time,
                own,
            ):
                encode, append = self._record_end
                append(*encode(span))
            if parent is None or parent[2]:
                root = self._roots.pop(span_id, None)
                if not self._silent or self._silent.pop(span_id, 0) is not None:
                    self._root_end(span, root)
        except Exception as error:  # noqa: BLE001
            self._guard.note("on_end", error)

    if not sdk_internals.HAS_KNOWN_FIELDS:

        def on_start(self, span: Span, parent_context: Any = None) -> None:
            """Note the span as open; a local root is recorded at once."""
            try:
                if self.is_recording:
                    self.start_again(span, get_ident(), self._current_task(), self._now_ns())
                else:
                    self._note_start(span)
            except Exception as error:  # noqa: BLE001
                self._guard.note("on_start", error)

        def on_end(self, span: ReadableSpan) -> None:
            """Encode the span into the ring, and show it to the triggers when it is notable."""
            try:
                context = span.get_span_context()
                if not self.is_recording or context is None:
                    self._note_end(span)
                    return
                self._open.pop(context.span_id, None)
                encode, append = self._record_end
                append(*encode(span))
                is_root = span.parent is None or span.parent.is_remote
                if is_root:
                    root = self._roots.pop(context.span_id, None)
                    if self._silent.pop(context.span_id, 0) is None:
                        return
                self._notable_end(span, is_root)
                if is_root:
                    self._root_end(span, root)
            except Exception as error:  # noqa: BLE001
                self._guard.note("on_end", error)

    def _close_twin(self, span_id: int, other: Any, context: Any) -> bool:
        """Close the span of a context that is not open by its id: another one, or none, is.

        Ids repeat where a program seeds `random`, from which the SDK takes them. It may also have
        been recorded before, by `LostEnds`; returns whether that is so.
        """
        if other is not None:
            self._open.setdefault(span_id, other)
        self._open.pop(_key_of_twin(context), None)
        return bool(self._late) and self._late.pop(span_id, 0) is None

    def start_again(self, span: Span, thread_id: int, task: Any, started_ns: int) -> None:
        """Record a span that started on another thread, in a task, before there was a session."""
        try:
            context = span.get_span_context()
            if self._open.setdefault(context.span_id, span) is not span:
                self._open[_key_of_twin(context)] = span
            if span.parent is None or span.parent.is_remote:
                self._root_started(span, thread_id, task, started_ns)
        except Exception as error:  # noqa: BLE001
            self._guard.note("on_start", error)

    def end_again(self, span: ReadableSpan, ended_ns: int) -> None:
        """Record a span that ended then: if it is a local root, it was open no longer."""
        context = span.get_span_context()
        root = None if context is None else self._roots.get(context.span_id)
        if context is not None and root is not None:
            since_ns = self._now_ns() - ended_ns
            self._roots[context.span_id] = (*root[:3], root[3] + since_ns)
        self.on_end(span)

    def count_anew(self) -> None:
        """Let the local roots that are open count from now on: the recorder has held them up."""
        for span_id, root in list(self._roots.items()):
            self._roots[span_id] = (*root[:3], self._now_ns())

    def forget_ended(self) -> None:
        """Take spans for ended that ended before their start was replayed."""
        for key, span in list(self._open.items()):
            if span.end_time is not None:
                self._open.pop(key, None)
                self._roots.pop(key, None)

    def _note_start(self, span: Span) -> None:
        if self.is_connected:
            if self.pipeline is None:
                self.pipeline = pipeline_of_span(span)
            self._first_spans.started(span)

    def _note_end(self, span: ReadableSpan) -> None:
        if self.is_connected:
            self._first_spans.ended(span)

    def _root_started(self, span: Span, thread_id: int, task: Any, started_ns: int) -> None:
        if getpid() != self._pid:  # uWSGI forks without running Python's fork hooks
            self.is_recording = False
            self._note_start(span)
            return
        if self.pipeline is None:
            self.pipeline = pipeline_of_span(span)
        key = span.get_span_context().span_id
        self._roots[key] = (span, thread_id, task, started_ns)
        write = self._write_start
        if write is None or not is_start_written(write, span, thread_id):
            encode, append = self._record_start
            data, scope = encode(span, thread_id)
            append(data, scope)


def _key_of_twin(context: Any) -> int:
    """Return under which key a span is open whose id another open span has, too."""
    return -id(context)
