"""The attributes of a runtime event as it is exported."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.delivery.otlp.values import make_portable, texts_under
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import attributes, exception_attributes
from otel_flight.names import sent_attributes as names
from otel_flight.records.ids import span_text, trace_text
from otel_flight.records.records import Frame

_STACK_FRAMES: Final = 20


def runtime_attributes(event: WindowEvent) -> dict[str, Any]:
    """Return what a runtime event says, and on which thread and in which span it was."""
    record = event.record
    found = own_attributes(event)
    if record.trace_id:
        found[names.TRACE_ID] = trace_text(record.trace_id)
        found[names.SPAN_ID] = span_text(record.span_id)
    return found


def own_attributes(event: WindowEvent) -> dict[str, Any]:
    """Return what a runtime event says, where its span is known without saying so."""
    record = event.record
    found: dict[str, Any] = {}
    for key, value in record.attributes.items():
        found.update(texts_under(key, value) if isinstance(value, str) else {key: value})
    if record.thread_id:
        found[attributes.THREAD_ID] = record.thread_id
    if event.stack is not None:
        frames = event.stack.frames[-_STACK_FRAMES:]
        if exception_attributes.TYPE in record.attributes:
            text = _stacktrace(record.attributes, frames)
            found.update(texts_under(exception_attributes.STACKTRACE, text))
        else:
            text = "\n".join(map(_line, reversed(frames)))
            found.update(texts_under(names.STACK, text))
    make_portable(found)
    return found


def _line(frame: Frame) -> str:
    return f"{frame.function} ({frame.file}:{frame.line})" if frame.file else frame.function


def _stacktrace(attributes: dict[str, Any], frames: tuple[Frame, ...]) -> str:
    """Return a traceback as Python prints it, less the lines of the program."""
    lines = [
        f'  File "{frame.file}", line {frame.line}, in {frame.function}'
        if frame.file
        else f"  {frame.function}"
        for frame in frames
    ]
    kind, message = (
        attributes[exception_attributes.TYPE],
        attributes.get(exception_attributes.MESSAGE, ""),
    )
    end = f"{kind}: {message}" if message else str(kind)
    return "\n".join(("Traceback (most recent call last):", *lines, end))
