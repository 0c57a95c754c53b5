"""Spans whose times are no times of ours: recorded, delivered, shown, and no harm to the others."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import Tracer

from otel_flight.assembly import ASSEMBLY, Settings
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.making.completion import complete
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import run
from tests.support.incidents.rig_incidents import CLOSED_NS, cause_of, incident_of
from tests.support.receivers.otlp_messages import Transport
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.rigs.deliverer import Deliverer
from tests.support.rigs.recording_rig import RecordingRig

ODD_TIMES: tuple[Any, ...] = (
    *(0, 1, -5, True, 1.7e18, float("nan"), float("inf"), "soon", [1], datetime.date(2026, 1, 1)),
    *(2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70, -(2**63)),
)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment, window_bytes="1MiB") as rig:
        rig.collect_ended()
        yield rig


def record_odd_spans(tracer: Tracer) -> dict[int, str]:
    """Record spans that start, end, or have an event at odd times; return their names by their ids.

    Some are local roots, the others are below an ordinary one.
    """
    named = {}
    with tracer.start_as_current_span("request"):
        for time in ODD_TIMES:
            starts = tracer.start_span(f"starts {time}", start_time=time)
            starts.end()
            named[starts.get_span_context().span_id] = f"starts {time}"
            ends = tracer.start_span(f"ends {time}")
            ends.add_event("odd", {}, time)
            ends.end(time)
            named[ends.get_span_context().span_id] = f"ends {time}"
    for time in ODD_TIMES:
        root = tracer.start_span(f"root {time}", start_time=time)
        root.end(time)
        named[root.get_span_context().span_id] = f"root {time}"
    return named


@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_every_span_with_an_odd_time_arrives(
    rig: RecordingRig, tmp_path: Path, transport: Transport
) -> None:
    """What a program says of its times decides neither whether a span goes out nor what others do.

    A backend holds 63 bits: what is beyond them arrives as the nearest time that is within.
    """
    named = record_odd_spans(rig.tracer)
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    spool.add(incident_of(rig))

    with OtlpReceiver() as receiver:
        endpoint = receiver.endpoint(transport)
        deliverer = Deliverer(spool, Settings(endpoint=endpoint, protocol=transport))
        deliverer.worker.start()
        assert deliverer.worker.wait_idle(Deadline.after(20))
        deliverer.worker.stop(Deadline.after(5))
        arrived = {int.from_bytes(each.span.span_id, "big"): each.span for each in receiver.spans()}

    assert {name for span_id, name in named.items() if span_id not in arrived} == set()
    assert all(arrived[span_id].end_time_unix_nano < 1 << 63 for span_id in named)


@pytest.mark.parametrize("trigger", ["request", "root 9223372036854775808", "ends soon"])
def test_an_incident_with_odd_times_has_its_findings_and_is_shown(
    rig: RecordingRig, tmp_path: Path, trigger: str
) -> None:
    """One such span in the window breaks neither the findings of an incident nor a command."""
    record_odd_spans(rig.tracer)
    span = next(span for span in rig.ended.spans if span.name == trigger)
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    guard = Guard()
    incident = incident_of(rig, causes=[cause_of(span, time_ns=CLOSED_NS)])
    entry = spool.add(complete(incident, ASSEMBLY.rulebook, guard, set()))

    assert guard.errors() == ()
    for arguments in (["show", str(entry.path)], ["show", "--json", str(entry.path)]):
        assert run(*arguments).exit_code == 0
    assert run("list", "--spool-directory", str(spool.directory)).exit_code == 0
