"""The hot path: what happens inside `Span.start()` and `Span.end()` of the host.

The law of this file: never raise, never wait, never log, no I/O. An exception here would reach user
code and starve the processors after us (opentelemetry-python #5624). Once in a process that is not
so: its first span waits until recording has begun. What records is imported then, and not here.
"""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_flight.clock import monotonic_ns
from otel_flight.guard import Guard
from otel_flight.interpreter import sdk_internals
from otel_flight.interpreter.sdk_pipeline import pipeline_of_span
from otel_flight.native import allocate_lock, get_ident
from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.ordinary_spans import READ_BY_POSITION, is_start_written, is_written
from otel_flight.ring.layout import LANE_SPANS

_UNSET: Final = sdk_internals.unset_status()
_LONGEST_WAIT_SECONDS: Final = 5.0
"""A span waits at most this many seconds while another thread begins to record."""

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
        begin: called on the thread of the first span; lets this one `record_into` a session, unless
            it cannot.
        guard: notes what fails.

    Attributes:
        is_recording: spans are ignored while False.
        is_waiting: the next span that starts is to begin the recording; see `wait_for_span`.
        tracer_type: the kind of tracer that makes spans of our own; None: there are to be none.
        pipeline: the SDK object that calls all processors of the provider; None before the first
            local root. It tells whether someone exports already.
    """

    __slots__ = READ_BY_POSITION

    def __init__(self, begin: Callable[[], None], guard: Guard) -> None:
        self.is_recording = False
        self.is_waiting = False
        self.tracer_type: type | None = None
        self.pipeline: Any = None
        self._guard = guard
        self._begin = begin
        self._turn = allocate_lock()  # taken by the thread whose span begins the recording
        self._beginner = 0
        self._pid = self._begun_pid = 0
        self._silent: dict[int, None] = {}

    def silence(self, span_id: int) -> None:
        """Let no trigger see a local root that is about to start, nor what is below it."""
        if self.is_recording or self.is_waiting:
            self._silent[span_id] = None

    def wait_for_span(self) -> None:
        """Let the next span that starts begin the recording. Also in a forked child."""
        self._turn = allocate_lock()
        self._beginner = 0
        self.is_recording, self.is_waiting = False, True

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
        self._pid = session.pid
        self._open = session.open_spans.spans
        self._roots = session.open_spans.roots
        self._silent = session.open_spans.silent
        self._held_up = session.open_spans.held_up
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
        self._write_light = session.write_light
        self.tracer_type = session.light_tracer
        self.is_waiting = False
        self.is_recording = True

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        """Note the span as open; a local root is recorded at once."""
        try:
            if not self.is_recording and not self._begins(span):
                return
            if self._open.setdefault(span._context[1], span) is not span:  # type: ignore[index]
                self._open[_key_of_twin(span._context)] = span
            parent = span._parent
            if parent is None or parent[2]:
                self._root_started(span)
        except Exception as error:  # noqa: BLE001
            self._guard.note("on_start", error)

    def _on_ending(self, span: Span) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        """Encode the span into the ring, and show it to the triggers when it is notable."""
        try:
            if not self.is_recording:
                return
            context = span._context
            span_id = context[1]  # type: ignore[index]
            opened = self._open.pop(span_id, None)
            if opened is None or opened._context is not context:
                self._close_twin(span_id, opened, context)
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
            if opened is not span:
                self._close_twin(span_id, opened, context)
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
                if self.is_recording or self._begins(span):
                    self._open[span.get_span_context().span_id] = span
                    if span.parent is None or span.parent.is_remote:
                        self._root_started(span)
            except Exception as error:  # noqa: BLE001
                self._guard.note("on_start", error)

        def on_end(self, span: ReadableSpan) -> None:
            """Encode the span into the ring, and show it to the triggers when it is notable."""
            try:
                context = span.get_span_context()
                if not self.is_recording or context is None:
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

    def _close_twin(self, span_id: int, other: Any, context: Any) -> None:
        """Close the span of a context that is not open by its id: another one, or none, is.

        Ids repeat where a program seeds `random`, from which the SDK takes them.
        """
        if other is not None:
            self._open.setdefault(span_id, other)
        self._open.pop(_key_of_twin(context), None)

    def _begins(self, span: Span) -> bool:
        """Begin recording if this is the first span; return whether it records now.

        Another thread's first span waits meanwhile, as it would be lost. One that starts within the
        beginning, by a finalizer, say, passes by. Once it failed it is not tried again: a process
        that cannot start a thread, say, would pay for the attempt with every span.
        """
        thread_id = get_ident()
        if not self.is_waiting or self._beginner == thread_id:
            return self.is_recording
        arrived_ns = monotonic_ns()
        span_id = span.get_span_context().span_id
        is_silent = span_id in self._silent
        turn = self._turn  # in a child there may be another one by then
        if not turn.acquire(True, _LONGEST_WAIT_SECONDS):
            return False
        try:
            if self.is_waiting:
                self._beginner = thread_id
                self._begin()
        finally:
            self.is_waiting = False
            self._beginner = 0
            turn.release()
        if self.is_recording:
            self._held_up[span_id] = monotonic_ns() - arrived_ns
            if is_silent:
                self._silent[span_id] = None
        return self.is_recording

    def _begins_in_child(self, span: Span) -> bool:
        """Begin recording in this forked child, once; return whether it records by itself now."""
        pid = getpid()
        if self._begun_pid != pid:
            self._begun_pid = pid
            self.wait_for_span()
        return self._begins(span) and self._pid == pid

    def _root_started(self, span: Span) -> None:
        if getpid() != self._pid:  # uWSGI forks without running Python's fork hooks
            if not self._begins_in_child(span):
                return
            self._open[span.get_span_context().span_id] = span
        if self.pipeline is None:
            self.pipeline = pipeline_of_span(span)
        thread_id = get_ident()
        task = self._current_task()
        self._roots[span.get_span_context().span_id] = (span, thread_id, task, self._now_ns())
        write = self._write_start
        if write is None or not is_start_written(write, span, thread_id):
            encode, append = self._record_start
            data, scope = encode(span, thread_id)
            append(data, scope)


def _key_of_twin(context: Any) -> int:
    """Return under which key a span is open whose id another open span has, too."""
    return -id(context)
