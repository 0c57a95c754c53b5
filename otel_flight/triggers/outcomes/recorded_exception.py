"""The exception that a span recorded last, as its event has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.names import exception_attributes as names
from otel_flight.names.span_attributes import EXCEPTION_EVENT

_HEADING: Final = "Traceback (most recent call last):\n"
_INSTRUMENTATION: Final = re.compile(r'  File "[^"\n]*[/\\]opentelemetry[/\\]')


@dataclass(frozen=True)
class RecordedException:
    """What is known of an exception.

    Attributes:
        kind: its class, with the module unless it is a built-in one.
        message: what it says.
        stacktrace: its traceback, formatted, with what it was raised from before it.
    """

    kind: str = ""
    message: str = ""
    stacktrace: str = ""

    @property
    def name(self) -> str:
        """The name of its class, without the module."""
        return self.kind.rpartition(".")[2]

    @property
    def has_left_application(self) -> bool:
        """Whether an instrumentation caught it, and not the application, which dealt with it then.

        A traceback begins where the exception was caught.
        """
        _, heading, frames = self.stacktrace.rpartition(_HEADING)
        return bool(heading) and _INSTRUMENTATION.match(frames) is not None


NO_EXCEPTION: Final = RecordedException()


def last_exception(span: ReadableSpan) -> RecordedException:
    """Return the exception that a span recorded last; `NO_EXCEPTION` if there is none."""
    for event in reversed(span.events):
        if event.name == EXCEPTION_EVENT:
            return _of(event.attributes or {})
    return NO_EXCEPTION


def _of(attributes: Mapping[str, object]) -> RecordedException:
    return RecordedException(
        *(str(attributes.get(name, "")) for name in (names.TYPE, names.MESSAGE, names.STACKTRACE))
    )
