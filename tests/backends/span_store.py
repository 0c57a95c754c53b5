"""Jaeger and Tempo alike: a place that took spans, and is asked for them through its query API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Protocol, final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.backends.scenario import INCIDENT_ID, KIND, unstamped
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess
from tests.support.receivers.otlp_messages import ReceivedSpan

TEMPO_TEXT_BYTES = 2048
"""So much Tempo keeps of an attribute, whoever sends it: its `distributor.max_attribute_bytes`."""

_PATIENCE_SECONDS = 60.0


class SpanStore(Protocol):
    """What both can tell."""

    @property
    def endpoint(self) -> str:
        """Where it takes OTLP over gRPC."""
        ...

    def spans_of(self, trace_ids: Iterable[str]) -> list[ReceivedSpan]:
        """Return the spans of traces that are all there, in no order."""
        ...

    def find(self, service: str, tags: dict[str, str], count: int) -> list[str]:
        """Return the ids of the traces that its search finds, which are `count`.

        Args:
            service: of a span with all the tags.
            tags: attributes of one span.
            count: how many there are in the end; Tempo takes a moment.
        """
        ...

    def copies(self, services: Sequence[str], spans: Sequence[ReceivedSpan]) -> int:
        """Return how many spans it took of these services in all, each copy counted.

        Args:
            services: whose.
            spans: what it shows of them.
        """
        ...

    def kept(self, item: ReceivedSpan) -> Span:
        """Return what it keeps of a span, without what the recorder adds."""
        ...


@final
class JaegerStore:
    """A Jaeger."""

    def __init__(self, jaeger: JaegerProcess) -> None:
        self._jaeger = jaeger

    @property
    def endpoint(self) -> str:
        """Where it takes OTLP over gRPC."""
        return self._jaeger.grpc_endpoint

    def spans_of(self, trace_ids: Iterable[str]) -> list[ReceivedSpan]:
        """Return the spans of traces; a span that came twice is there twice."""
        return [span for trace_id in trace_ids for span in self._jaeger.stored_spans(trace_id)]

    def find(self, service: str, tags: dict[str, str], count: int) -> list[str]:
        """Return what the search by tags finds; it is there as soon as it was taken."""
        found = [trace["traceID"] for trace in self._jaeger.find_traces(service, tags=tags)]
        assert len(found) == count
        return found

    def copies(self, services: Sequence[str], spans: Sequence[ReceivedSpan]) -> int:
        """Return how many spans are stored of these services."""
        traces = {
            trace["traceID"] for service in services for trace in self._jaeger.find_traces(service)
        }
        return len(self.spans_of(traces))

    def kept(self, item: ReceivedSpan) -> Span:
        """Return the span: Jaeger keeps all of it."""
        return unstamped(item)


@final
class TempoStore:
    """A Tempo."""

    def __init__(self, tempo: TempoProcess) -> None:
        self._tempo = tempo
        self._counted = 0

    @property
    def endpoint(self) -> str:
        """Where it takes OTLP over gRPC."""
        return self._tempo.grpc_endpoint

    def spans_of(self, trace_ids: Iterable[str]) -> list[ReceivedSpan]:
        """Return the spans of traces; of two copies of a span only one may be there.

        A trace is nowhere for the moment in which Tempo moves it from its memory to a block.
        """

        def spans_of(trace_id: str) -> list[ReceivedSpan]:
            is_missing = f"there is no trace {trace_id}"
            return self._tempo.wait_for(is_missing, lambda: self._tempo.stored_spans(trace_id))

        return [span for trace_id in trace_ids for span in spans_of(trace_id)]

    def find(self, service: str, tags: dict[str, str], count: int) -> list[str]:
        """Return what TraceQL finds; that takes until the traces have been idle for a second."""
        terms = [f"resource.service.name = {json.dumps(service)}"]
        terms += [f"span.{key} = {json.dumps(value)}" for key, value in tags.items()]
        query = f"{{ {' && '.join(terms)} }}"

        def as_many() -> list[str] | None:
            found = [trace["traceID"] for trace in self._tempo.search(query)]
            return found if len(found) >= count else None

        what = f"fewer than {count} traces fit {query}"
        found = self._tempo.wait_for(what, as_many, _PATIENCE_SECONDS)
        assert found is not None
        assert len(found) == count
        return found

    def copies(self, services: Sequence[str], spans: Sequence[ReceivedSpan]) -> int:
        """Return how many spans came in since this was asked last, as its metrics count them."""
        before, self._counted = self._counted, self._tempo.received_spans()
        return self._counted - before

    def kept(self, item: ReceivedSpan) -> Span:
        """Return the span as Tempo has it in the end."""
        return kept_by_tempo(item)


def kept_by_tempo(item: ReceivedSpan) -> Span:
    """Return what Tempo keeps of a span without what the recorder adds.

    Once it is in a block, it has no flags any more, nor have its links; long texts are cut.
    """
    span = unstamped(item)
    for flagged in (span, *span.links):
        flagged.ClearField("flags")
    parts: list[Span | Span.Event | Span.Link] = [span, *span.events, *span.links]
    for part in parts:
        for attribute in part.attributes:
            text = attribute.value.string_value.encode()
            if len(text) > TEMPO_TEXT_BYTES:
                attribute.value.string_value = text[:TEMPO_TEXT_BYTES].decode()
    return span


def incident_traces(store: SpanStore, service: str, count: int) -> list[str]:
    """Return the ids of a service's incident traces, as one search lists them."""
    return store.find(service, {KIND: "incident"}, count)


def incident_trace(store: SpanStore, service: str, incident_id: str) -> str:
    """Return the id of the trace of one incident."""
    (found,) = store.find(service, {KIND: "incident", INCIDENT_ID: incident_id}, 1)
    return found
