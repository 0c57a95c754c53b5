"""The chunks of an incident, by signal: to be sent, or to stand alone in a file.

Both are generators: whoever sends chunks can note that it begins before the window is indexed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.log_chunks import LogChunks
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.signals import LOGS, Signal
from otel_flight.delivery.span_chunks import MOST_SPANS, SpanChunks
from otel_flight.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.settings.fields import CoreSettings


def chunks_to_send(
    signal: Signal, incident: Incident, settings: CoreSettings, pacer: Pacer, guard: Guard
) -> Iterator[Chunk[Any]]:
    """Yield what a backend gets, less what it has from earlier incidents or another pipeline."""
    if signal is LOGS:
        yield from LogChunks(incident, pacer, guard)
    else:
        skips_sampled = settings.skip_exported and incident.manifest.is_pipeline_exporting
        yield from SpanChunks(incident, pacer, guard, skips_sampled=skips_sampled)


def standalone_chunks(
    signal: Signal, incident: Incident, pacer: Pacer, guard: Guard, most_spans: int = MOST_SPANS
) -> Iterator[Chunk[Any]]:
    """Yield all of an incident, whatever went elsewhere before."""
    if signal is LOGS:
        yield from LogChunks(incident, pacer, guard, is_standalone=True)
    else:
        yield from SpanChunks(incident, pacer, guard, is_standalone=True, most_spans=most_spans)
