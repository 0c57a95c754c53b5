"""The OTLP-JSON copy of an incident, for machines where nothing is configured to export to.

One line is one chunk, as the official file exporter writes it and the Collector's `otlpjsonfile`
receiver reads it. It stands alone: every span of the window is in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import attempt_export
from otel_flight.delivery.receiver.exporters import build_json_exporter
from otel_flight.delivery.span_chunks import SpanChunks
from otel_flight.errors import DeliveryFailed
from otel_flight.guard import Guard
from otel_flight.incidents.incident import Incident

_SPANS_PER_LINE: Final = 32
"""A line is put together by a call that lets no other thread run."""


def write_json_copy(
    incident: Incident,
    path: Path,
    pacer: Pacer,
    guard: Guard,
    go_on: Callable[[], bool] = lambda: True,
) -> int | None:
    """Write every span of an incident to `path`, which is whole or not there.

    Args:
        incident: what to write.
        path: where to; only the user can read it.
        pacer: keeps the work off the application's back.
        guard: notes spans that cannot be built; the others are written.
        go_on: asked before each line; when it says no, nothing is written.

    Returns:
        How many spans were written; None when `go_on` said no.

    Raises:
        MissingExtra: the official exporter is not installed.
        DeliveryFailed: it reported a failure.
        OSError: the file could not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    written = 0
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
            exporter = build_json_exporter(stream)
            chunks = SpanChunks(
                incident, pacer, guard, is_standalone=True, most_spans=_SPANS_PER_LINE
            )
            for chunk in chunks:
                if not go_on():
                    return None
                why = attempt_export(exporter, chunk).failure
                if why:
                    raise DeliveryFailed(str(path), why)
                written += len(chunk)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return written
