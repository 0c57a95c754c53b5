"""Whatever was recorded, our encoding of it is the official encoder's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otel_flight.delivery.otlp.origins import SpanOrigins
from otel_flight.delivery.otlp.spans import SpanBuilder
from otel_flight.delivery.wire.requests import RequestEncoding
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.window import WindowSpan
from otel_flight.records.records import Span
from tests.support.rigs.recording_rig import Recorded, RecordingRig
from tests.support.spans.span_strategies import SpanPlan, silent_sdk, span_plans


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RecordingRig]:
    """A session with a ring."""
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB", redact=False) as rig:
        yield rig


def window_span(recorded: Recorded) -> WindowSpan:
    """Return what was recorded as the window has it."""
    assert isinstance(recorded.record, Span)
    return WindowSpan(recorded.record, 0, recorded.scope, recorded.resource)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=span_plans)
def test_any_recorded_span_is_encoded_as_ever(rig: RecordingRig, plan: SpanPlan) -> None:
    """Byte for byte, whichever parts of it are left to the official encoder."""
    plan.perform(rig.processor)
    manifest = Manifest(incident_id="20260101-100000-3f9a1c", process={"host": "web-1"})
    origins = SpanOrigins(manifest)
    builder = SpanBuilder(manifest, origins, is_standalone=False)

    with silent_sdk():
        ours = RequestEncoding(builder, origins, rig.guard).encode(
            [window_span(rig.newest()[-1])], encode_spans
        )
        theirs = encode_spans([builder.build(window_span(rig.newest()[-1]))])

    message = type(theirs).FromString(ours)
    assert message.SerializeToString(deterministic=True) == theirs.SerializeToString(
        deterministic=True
    )
    assert rig.guard.errors() == ()
