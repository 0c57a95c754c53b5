"""One call of an exporter, with everything that foreign code could do to us caught."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from opentelemetry import context as otel_context

from otel_flight.delivery.receiver.answers import Answer
from otel_flight.delivery.receiver.log import tap_log
from otel_flight.delivery.receiver.taps import tap_answers
from otel_flight.ground.quoting import without_secrets

_LONGEST_REASON: Final = 300
_UNKNOWN: Final = Answer()
_SUCCESS: Final = "SUCCESS"
"""The results of all signals have this name for a success, in every release so far."""
# The first two are private names; the plain ones are what old instrumentations look for.
_SUPPRESSING_KEYS: Final = (
    getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    getattr(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation"),
    "suppress_instrumentation",
    "suppress_http_instrumentation",
)


class Exporter(Protocol):
    """An official exporter of spans or log records."""

    def export(self, batch: Any, /) -> Any:
        """Send what is in the batch; blocks. Returns a result that is called SUCCESS or not."""
        ...

    def shutdown(self) -> object:
        """Send nothing more, and let go of the connection."""
        ...


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What became of a chunk that was given to an exporter.

    Attributes:
        failure: why it failed; empty when it did not.
        answer: the last of the receiver's; without a content when none is known.
        rejected_spans: of a request that was taken, the spans that were not.
        may_have_arrived: whether it may have arrived although it failed.
        repeats: requests the exporter sent again that may have arrived the first time.
    """

    failure: str = ""
    answer: Answer = _UNKNOWN
    rejected_spans: int = 0
    may_have_arrived: bool = False
    repeats: int = 0


@contextmanager
def suppressed_instrumentation() -> Iterator[None]:
    """Let nothing on this thread become a span: our own requests are not the application's."""
    context = otel_context.get_current()
    for key in _SUPPRESSING_KEYS:
        context = otel_context.set_value(key, True, context)
    token = otel_context.attach(context)
    try:
        yield
    finally:
        otel_context.detach(token)


def attempt_export(exporter: Exporter, chunk: Sized) -> Attempt:
    """Give a chunk to an exporter. Never raises; blocks as long as the exporter does."""
    with (
        tap_log() as log,
        tap_answers(exporter) as answers,
        suppressed_instrumentation(),
    ):
        try:
            result = exporter.export(chunk)
            is_success = getattr(result, "name", "") == _SUCCESS and not _last(answers).failure
            raised = ""
        except Exception as error:  # noqa: BLE001  (foreign code; old exporters raise on refusal)
            is_success = False
            raised = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    repeats = _repeats(answers)
    if is_success:
        rejected = min(len(chunk), sum(answer.rejected_spans for answer in answers))
        return Attempt(answer=_last(answers), rejected_spans=rejected, repeats=repeats)
    return Attempt(
        failure=without_secrets(_last(answers).failure or raised or log.last_message),
        answer=_last(answers),
        may_have_arrived=not answers or any(answer.may_have_arrived for answer in answers),
        repeats=repeats,
    )


def _last(answers: Sequence[Answer]) -> Answer:
    return answers[-1] if answers else _UNKNOWN


def _repeats(answers: Sequence[Answer]) -> int:
    """Return how many requests may have arrived besides an earlier one that also may have."""
    after_first = itertools.dropwhile(lambda answer: not answer.may_have_arrived, answers)
    may_be_there = sum(answer.may_have_arrived or not answer.failure for answer in after_first)
    return max(0, may_be_there - 1)
