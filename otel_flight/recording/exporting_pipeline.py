"""Whether another processor takes every sampled span, so that we need not send them again.

A span that arrives twice is harmless, one that nobody sends is not. So only the SDK's own
processors are believed, and of these only what cannot be otherwise: what does not work is to
believe a subclass (it may export errors only), an exporter to another place, or a queue that may
have been full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from otel_flight.ground.clock import Clock
from otel_flight.interpreter.sdk.pipeline import exporter_of, processors_in, queue_of

_PROCESSORS: Final = (BatchSpanProcessor, SimpleSpanProcessor)
_GROUPS: Final = (ConcurrentMultiSpanProcessor, SynchronousMultiSpanProcessor)


def exporters_of(pipeline: object) -> Iterator[Any]:
    """Yield the exporters behind the processors of a pipeline, whatever these are."""
    for processor in processors_in(pipeline):
        exporter = exporter_of(processor)
        if exporter is not None:
            yield exporter
        yield from exporters_of(processor)


class ExportWatch:
    """Watches from tick to tick whether all pipelines export all sampled spans to one place.

    For the ticker's thread.

    Args:
        pipelines: return what calls the span processors of each provider.
        is_there: tells whether an exporter sends to that place.
        ended: returns how many spans have ended so far, or more.
        clock: tells when there was a doubt.
    """

    def __init__(
        self,
        pipelines: Callable[[], Iterable[object]],
        is_there: Callable[[object], bool],
        ended: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._pipelines = pipelines
        self._is_there = is_there
        self._ended = ended
        self._clock = clock
        self._ended_before = 0
        self._lengths: dict[int, int] = {}
        self._in_doubt_ns = 0

    def look(self) -> None:
        """See whether all spans that ended since the last look were taken."""
        ended = self._ended()
        more, self._ended_before = ended - self._ended_before, ended
        lengths: dict[int, int] = {}
        pipelines = list(self._pipelines())
        taken = [self._is_taken(each, more, lengths) for each in pipelines]
        self._lengths = lengths
        if not taken or not all(taken):
            self._in_doubt_ns = self._clock.wall_ns()

    def has_taken_all(self, since_ns: int) -> bool:
        """Tell whether there was no doubt since a moment of the wall clock."""
        self.look()
        return self._in_doubt_ns < since_ns

    def _is_taken(self, pipeline: object, more: int, lengths: dict[int, int]) -> bool:
        """Tell whether a processor of the pipeline has surely taken so many spans.

        Args:
            pipeline: of a provider.
            more: no more spans have ended in it since the last look.
            lengths: gets how long each queue is now.
        """
        is_taken = False
        for processor in processors_in(pipeline):
            if type(processor) in _GROUPS:
                is_taken |= self._is_taken(processor, more, lengths)
            elif type(processor) in _PROCESSORS and "on_end" not in vars(processor):
                is_taken |= self._is_taken_by(processor, more, lengths)
        return is_taken

    def _is_taken_by(self, processor: Any, more: int, lengths: dict[int, int]) -> bool:
        if not self._is_there(exporter_of(processor)):
            return False
        if type(processor) is SimpleSpanProcessor:
            return True
        queue = queue_of(processor)
        if queue is None:
            return False
        lengths[id(processor)] = queue.length
        # It was never longer in between, however much was exported meanwhile.
        return self._lengths.get(id(processor), 0) + more < queue.most
