"""What is sent of an incident is what was found in it, whoever had the time to look."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.sdk.trace import Span

from otel_flight.delivery.other_windows import all_windows
from otel_flight.delivery.pacing import Pacer
from otel_flight.ground.guard import Guard
from tests.support.incidents.rig_incidents import cause_of, incident_of
from tests.support.rigs.recording_rig import RecordingRig


def test_what_its_process_had_no_time_for_is_done_before_it_is_sent(own_environment: Path) -> None:
    """A backend is told of its findings all the same."""
    with RecordingRig(own_environment) as rig:
        span = rig.tracer.start_span("GET /report")
        assert isinstance(span, Span)
        span.record_exception(ValueError("declined"))
        span.end()
        incident = incident_of(rig, causes=[cause_of(span)], is_unexamined=True)

    (sent,) = all_windows(incident, Guard(), Pacer(1.0, sleep=lambda seconds: None))

    assert sent.manifest.spans == 1
    assert not sent.manifest.is_unexamined
    assert sent.manifest.findings
