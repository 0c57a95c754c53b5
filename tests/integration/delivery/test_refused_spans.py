"""A receiver that does not take a chunk gets it in parts; what it never takes holds up nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otel_flight.assembly import Settings
from otel_flight.delivery.delivery import Delivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.exporters import build_exporter
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.delivery.sender import MOST_UNTAKEN_SPANS, PATIENCE
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.guard import Guard
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.rig_incidents import INCIDENT_ID, incident_of
from tests.support.receivers.otlp_messages import (
    BAD_REQUEST,
    TOO_LARGE,
    UNAUTHENTICATED,
    PartialSuccess,
    ReceivedRequest,
    Refusal,
    Transport,
    Verdict,
    spans_in,
)
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.rigs.recording_rig import RecordingRig

TRANSPORTS: tuple[Transport, ...] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)
SMALL_BYTES = 20_000


class Station:
    """A spool with one incident, and a process that delivers it whenever a test says so."""

    def __init__(self, rig: RecordingRig, spool: Spool) -> None:
        self._rig = rig
        self.spool = spool

    def record(self, names: Sequence[str], size: int = 10) -> None:
        """Record a trace of its own for each name, with so long a text, and keep the incident."""
        for name in names:
            self._rig.tracer.start_span(name, attributes={"text": "x" * size}).end()
        self.spool.add(incident_of(self._rig))

    def process(self, receiver: OtlpReceiver, transport: Transport, **settings: Any) -> Delivery:
        """Return what a new process would deliver with."""
        return Delivery(
            self.spool,
            Settings(endpoint=receiver.endpoint(transport), protocol=transport, **settings),
            Guard(),
            Pacer(1.0),
            build=lambda settings, _: build_exporter(SPANS, settings, 2.0),
            backoff=Backoff(lambda low, high: low),
        )

    @property
    def state(self) -> DeliveryState:
        """How far the incident is."""
        return self.spool.find(INCIDENT_ID).state


def deliver(process: Delivery, go_on: Callable[[], bool] = lambda: True) -> float | None:
    """Let a process go through the spool once; return when it wants to come again.

    It begins with the incident in any case, and ends when `go_on` says no before a request.
    """
    checks_before = iter((True, True))  # before the incident, and for the exporter's timeout
    return process.deliver_due(lambda: None if next(checks_before, False) or go_on() else 0.0)


def names_of(receiver: OtlpReceiver) -> list[str]:
    """Return the names of the application's spans that the receiver holds."""
    names = [item.span.name for item in receiver.spans()]
    return sorted(name for name in names if name.startswith("work"))


def refuse_more_than(
    most: int, refusal: Refusal = TOO_LARGE
) -> Callable[[ReceivedRequest], Verdict]:
    """Return a judge that takes no request of more spans."""
    return lambda request: refusal if len(spans_in(request.message)) > most else None


def refuse_span(name: str, refusal: Refusal) -> Callable[[ReceivedRequest], Verdict]:
    """Return a judge that takes no request with the span of that name."""

    def judge(request: ReceivedRequest) -> Verdict:
        names = [item.span.name for item in spans_in(request.message)]
        return refusal if name in names else None

    return judge


NAMES = sorted(f"work {number:02}" for number in range(60))


@pytest.fixture
def station(own_environment: Path, tmp_path: Path) -> Iterator[Station]:
    """A spool that a test puts its incident into."""
    with RecordingRig(own_environment, window_bytes="4MiB", runtime_bytes="128KiB") as rig:
        yield Station(rig, Spool(tmp_path / "spool", 1 << 30, 100))


@by_transport
def test_a_chunk_that_is_too_large_goes_out_in_parts(
    station: Station, transport: Transport
) -> None:
    """Everything arrives once, nothing failed, and nothing is doubtful."""
    station.record(NAMES, size=1000)
    with OtlpReceiver(max_request_bytes=SMALL_BYTES) as receiver:
        process = station.process(receiver, transport)
        deliver(process)

        assert names_of(receiver) == NAMES
        assert max(request.message.ByteSize() for request in receiver.requests) <= SMALL_BYTES
    assert station.state.delivered
    assert (station.state.resent_chunks, station.state.undeliverable_spans) == (0, 0)
    assert process.statistics.failed_attempts == 0


@by_transport
def test_a_span_that_is_too_large_alone_is_given_up(
    station: Station, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """The others arrive; the one is counted, with the receiver's reason, and said once."""
    caplog.set_level(logging.WARNING, "otel_flight")
    station.record([*NAMES[:40], "work large"], size=10)
    station.record(["work larger"], size=SMALL_BYTES)
    with OtlpReceiver(max_request_bytes=SMALL_BYTES) as receiver:
        process = station.process(receiver, transport)
        deliver(process)
        deliver(process)

        assert names_of(receiver) == [*NAMES[:40], "work large"]
        sent = len(receiver.spans())
    state = station.state
    assert (state.delivered, state.undeliverable_spans) == (True, 1)
    assert "413" in state.undeliverable_reason or "larger than max" in state.undeliverable_reason
    assert process.statistics.undeliverable_spans == 1
    assert process.statistics.delivered_spans == sent
    said = [each.message for each in caplog.records if each.name == "otel_flight"]
    assert len(said) == 1
    assert "does not take 1 of the spans of incident 20260101-100000-3f9a1c" in said[0]


@by_transport
def test_progress_within_a_chunk_survives(station: Station, transport: Transport) -> None:
    """After a restart in the middle of a divided chunk, no part of it goes out again."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:

        def judge(request: ReceivedRequest) -> Verdict:
            is_enough = len(names_of(receiver)) >= 15
            return UNAUTHENTICATED if is_enough else refuse_more_than(15)(request)

        receiver.judge_by(judge)
        deliver(station.process(receiver, transport))
        between = station.state
        receiver.judge_by(lambda request: None)
        deliver(station.process(receiver, transport))

        assert names_of(receiver) == NAMES
    assert (between.chunk_spans, between.chunk_length) == (15, 60)
    assert (station.state.delivered, station.state.resent_chunks) == (True, 0)


def test_a_chunk_with_other_spans_in_it_is_begun_again(station: Station) -> None:
    """Progress within a chunk is that of the same spans: rather twice than never."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        process = station.process(receiver, "grpc")
        receiver.judge_by(refuse_more_than(15))
        deliver(process, lambda: len(names_of(receiver)) < 15)
        entry = station.spool.find(INCIDENT_ID)
        assert entry.state.chunk_spans == 15
        station.spool.save_state(entry, msgspec.structs.replace(entry.state, chunk_length=59))
        deliver(station.process(receiver, "grpc"))

        # The newest go first.
        assert names_of(receiver) == sorted([*NAMES, *NAMES[-15:]])


def test_another_release_begins_again(station: Station) -> None:
    """It may divide the incident otherwise: rather twice, and counted, than never."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        process = station.process(receiver, "grpc")
        receiver.judge_by(refuse_more_than(15))
        deliver(process, lambda: len(names_of(receiver)) < 15)
        entry = station.spool.find(INCIDENT_ID)
        assert (entry.state.chunks, entry.state.chunk_spans) == (1, 15)
        other = msgspec.structs.replace(entry.state, chunking="0.0.1 64 1000")
        station.spool.save_state(entry, other)
        deliver(station.process(receiver, "grpc"))

        assert names_of(receiver) == sorted([*NAMES, *NAMES[-15:]])
    assert (station.state.delivered, station.state.resent_chunks) == (True, 2)
    assert station.state.chunking == entry.state.chunking


@by_transport
def test_a_receiver_that_takes_nothing_costs_no_span(
    station: Station, transport: Transport
) -> None:
    """Not the spans are wrong then: the incident waits, and the receiver is not flooded."""
    station.record(sorted(f"work {number:04}" for number in range(2000)))
    with OtlpReceiver() as receiver:
        receiver.judge_by(refuse_more_than(0))
        process = station.process(receiver, transport)
        wait_seconds = deliver(process)
        refused = len(receiver.refused)
        between = station.state
        receiver.judge_by(lambda request: None)
        deliver(process)

        assert len(set(names_of(receiver))) == len(names_of(receiver)) == 2000
    assert wait_seconds is not None
    assert refused < 3 * MOST_UNTAKEN_SPANS
    assert (between.delivered, between.chunks, between.undeliverable_spans) == (False, 0, 0)
    assert "it takes none of the spans: " in between.last_error
    assert process.statistics.undeliverable_spans == 0


@by_transport
def test_a_small_incident_is_not_lost_either(station: Station, transport: Transport) -> None:
    """Also when it is over before so many spans were refused."""
    station.record(NAMES[:3])
    with OtlpReceiver() as receiver:
        receiver.judge_by(refuse_more_than(0))
        process = station.process(receiver, transport)
        deliver(process)
        between = station.state
        receiver.judge_by(lambda request: None)
        deliver(process)

        assert names_of(receiver) == NAMES[:3]
    assert (between.delivered, between.attempts) == (False, 1)
    assert station.state.delivered


@by_transport
def test_what_is_invalid_is_found_after_a_while(station: Station, transport: Transport) -> None:
    """One span that the receiver calls a bad request is given up; all the others arrive."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        receiver.judge_by(refuse_span(NAMES[20], BAD_REQUEST))
        process = station.process(receiver, transport)
        for _ in range(PATIENCE):
            deliver(process)
        before = station.state
        deliver(process)

        assert names_of(receiver) == [name for name in NAMES if name != NAMES[20]]
    assert (before.refusals, before.undeliverable_spans) == (PATIENCE, 0)
    assert (station.state.delivered, station.state.undeliverable_spans) == (True, 1)
    assert "not taken, as the test asked" in station.state.undeliverable_reason
    assert station.state.resent_chunks == 0


def test_bad_requests_that_pass_cost_nothing(station: Station) -> None:
    """As of a proxy that is being configured: it may last for minutes."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        receiver.refuse_next(PATIENCE, BAD_REQUEST)
        process = station.process(receiver, "http/protobuf")
        for _ in range(PATIENCE + 1):
            deliver(process)

        assert names_of(receiver) == NAMES
    assert (station.state.delivered, station.state.undeliverable_spans) == (True, 0)
    assert station.state.refusals == 0


@by_transport
def test_spans_that_are_rejected_are_counted(station: Station, transport: Transport) -> None:
    """A partial success is not sent again, as OTLP demands, and not passed over either."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        rejection = PartialSuccess(rejected_spans=2, error_message="from the future")
        receiver.judge_by(
            lambda request: rejection if len(spans_in(request.message)) == len(NAMES) else None
        )
        process = station.process(receiver, transport)
        deliver(process)
        deliver(process)

        sent = len(receiver.spans())
        assert names_of(receiver) == NAMES
    state = station.state
    assert (state.delivered, state.undeliverable_spans) == (True, 2)
    assert state.undeliverable_reason == "from the future"
    assert process.statistics.delivered_spans == sent - 2
    assert process.statistics.undeliverable_spans == 2


def test_a_receiver_may_reject_everything(station: Station) -> None:
    """It took the requests, so sending them again would be of no use."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        receiver.judge_by(
            lambda request: PartialSuccess(rejected_spans=len(spans_in(request.message)))
        )
        process = station.process(receiver, "http/protobuf")
        deliver(process)

    assert station.state.delivered
    assert station.state.undeliverable_spans >= 60
    assert process.statistics.delivered_spans == 0


@by_transport
def test_a_receiver_is_left_alone_as_long_as_it_asks(
    station: Station, transport: Transport
) -> None:
    """Also longer than after any other failure."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        receiver.refuse_next(
            1, Refusal(http_status=429, grpc_code="UNAVAILABLE", retry_after_seconds=90)
        )

        assert deliver(station.process(receiver, transport)) == 90


@by_transport
def test_a_lost_answer_leaves_a_doubt(station: Station, transport: Transport) -> None:
    """What may have arrived is sent again, and counted; what was refused for certain is not."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        process = station.process(receiver, transport)
        receiver.hold()
        deliver(process)
        lost = station.state
        receiver.release()
        receiver.wait_for(lambda: bool(receiver.requests))
        receiver.refuse_next(1, UNAUTHENTICATED)
        deliver(process)
        refused = station.state
        deliver(process)

    assert (lost.may_have_arrived, lost.resent_chunks) == (True, 0)
    assert (refused.may_have_arrived, refused.resent_chunks) == (False, 1)
    assert (station.state.delivered, station.state.resent_chunks) == (True, 1)
    assert process.statistics.resent_chunks == 1


def test_a_doubt_outlives_a_process_that_sends_nothing(station: Station) -> None:
    """One that is stopped before its first request knows no more than the one before."""
    station.record(NAMES)
    with OtlpReceiver() as receiver:
        receiver.hold()
        deliver(station.process(receiver, "http/protobuf"))
        receiver.release()
        deliver(station.process(receiver, "http/protobuf"), lambda: False)

        assert station.state.may_have_arrived
        assert station.state.attempts == 1
        deliver(station.process(receiver, "http/protobuf"))
    assert station.state.resent_chunks == 1
    assert not station.state.may_have_arrived
