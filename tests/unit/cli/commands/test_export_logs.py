"""`otel-flight export` and the log records of incidents: to a real receiver, and to a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.assembly import Settings
from otel_flight.ground.deadline import Deadline
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from tests.support.incidents.command_line import run
from tests.support.incidents.rig_incidents import INCIDENT_ID, cause_of, incident_of
from tests.support.receivers.otlp_messages import UNAUTHENTICATED, PartialSuccess, Transport
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.rigs.deliverer import Deliverer
from tests.support.rigs.logging_rig import LoggingRig

LATER_ID = "20260101-110000-3f9a1c"
SECONDS = 20.0


@pytest.fixture
def spool(tmp_path: Path, own_environment: Path) -> Spool:
    """The spool that the environment names: an incident with three log records, one with five.

    They overlap, as two incidents of one process do: the later one has the records of both.
    """
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    with LoggingRig(own_environment, window_bytes="4MiB") as rig:
        log_in_spans(rig, range(3))
        first = incident_of(rig, causes=[cause_of(rig.ended.spans[-1])])
        spool.add(first)
        log_in_spans(rig, range(3, 5))
        numbers = {
            str(lane): 1 + max(item.number for item in first.window.records(lane))
            for lane in (LANE_SPANS, LANE_RUNTIME)
        }
        cause = cause_of(rig.ended.spans[-1])
        spool.add(incident_of(rig, incident_id=LATER_ID, causes=[cause], exported_to=numbers))
    return spool


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A backend of spans and logs."""
    with OtlpReceiver() as receiver:
        yield receiver


def log_in_spans(rig: LoggingRig, numbers: range) -> None:
    """Log a record for each number, in a span of its own."""
    for number in numbers:
        with rig.tracer.start_as_current_span(f"GET /{number}"):
            rig.logger.warning("record %d", number)


def bodies(receiver: OtlpReceiver) -> list[str]:
    """Return the messages that arrived, sorted."""
    return sorted(item.record.body.string_value for item in receiver.logs())


def records(numbers: range) -> list[str]:
    """Return the messages that were logged."""
    return [f"record {number}" for number in numbers]


@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_log_records_are_sent_where_the_setting_says(
    spool: Spool, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    """Behind the spans, by either protocol, each once; the output counts both, the spool knows."""
    endpoint = receiver.endpoint(transport)
    monkeypatch.setenv("OTEL_FLIGHT_LOGS_ENDPOINT", endpoint)

    outcome = run("export", "--all", "--endpoint", endpoint, "--protocol", transport)

    assert outcome.exit_code == 0, outcome.output
    lines = outcome.output.splitlines()
    assert [line.split(": ")[0] for line in lines] == [INCIDENT_ID, LATER_ID] * 2
    assert lines[2:] == [
        f"{INCIDENT_ID}: 3 log records sent to {endpoint}",
        f"{LATER_ID}: 2 log records sent to {endpoint}",
    ]
    assert bodies(receiver) == records(range(5))
    signals = [request.signal for request in receiver.requests]
    assert signals == sorted(signals, reverse=True), "traces, then logs"
    assert [spool.of(LOGS_STATE_SUFFIX).state_of(entry).delivered for entry in spool.entries()] == [
        True
    ] * 2


def test_an_option_names_the_endpoint_as_well(spool: Spool, receiver: OtlpReceiver) -> None:
    """For one run, where nothing is configured."""
    with OtlpReceiver() as logs:
        arguments = ["--endpoint", receiver.http_endpoint, "--logs-endpoint", logs.http_endpoint]
        outcome = run("export", INCIDENT_ID, "--protocol", "http/protobuf", *arguments)

        assert outcome.exit_code == 0, outcome.output
        assert bodies(logs) == records(range(3))
        assert {request.signal for request in logs.requests} == {"logs"}
    assert {request.signal for request in receiver.requests} == {"traces"}


def test_without_an_endpoint_of_their_own_none_are_sent(
    spool: Spool, receiver: OtlpReceiver
) -> None:
    """As the automatic delivery has it: they are events of the spans, and nothing is said."""
    outcome = run("export", "--all", "--endpoint", receiver.grpc_endpoint)

    assert outcome.exit_code == 0, outcome.output
    assert receiver.logs() == []
    assert "log record" not in outcome.output


def test_what_a_service_has_delivered_is_not_sent_again(
    spool: Spool, receiver: OtlpReceiver
) -> None:
    """Its states are those of the automatic delivery; `--again` sends all the same."""
    endpoint = receiver.http_endpoint
    settings = Settings(endpoint=endpoint, logs_endpoint=endpoint, protocol="http/protobuf")
    service = Deliverer(spool, settings).worker
    service.start()
    assert service.wait_idle(Deadline.after(SECONDS))
    assert service.stop(Deadline.after(SECONDS))
    receiver.clear()
    arguments = ["--endpoint", endpoint, "--logs-endpoint", endpoint]

    outcome = run("export", INCIDENT_ID, *arguments, "--protocol", "http/protobuf")

    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.splitlines() == [
        f"{INCIDENT_ID}: {endpoint} has it already",
        f"{INCIDENT_ID}: {endpoint} has its log records already",
    ]
    assert receiver.requests == []
    again = run("export", INCIDENT_ID, *arguments, "--protocol", "http/protobuf", "--again")
    assert again.exit_code == 0, again.output
    assert bodies(receiver) == records(range(3))


def test_log_records_that_are_refused_hold_up_no_spans(
    spool: Spool, receiver: OtlpReceiver
) -> None:
    """The failure is an exit code and a line that says what it is about; the next run goes on."""
    with OtlpReceiver() as logs:
        logs.judge_by(lambda request: UNAUTHENTICATED)
        arguments = ["--endpoint", receiver.http_endpoint, "--logs-endpoint", logs.http_endpoint]
        arguments += ["--protocol", "http/protobuf"]
        outcome = run("export", "--all", *arguments)

        assert outcome.exit_code == 5
        failure = f"otel-flight: {INCIDENT_ID}: log records: no delivery to {logs.http_endpoint}: "
        assert failure in outcome.output
        assert [entry.state.delivered for entry in spool.entries()] == [True, True]
        logs.judge_by(lambda request: None)
        assert run("export", "--all", *arguments).exit_code == 0
        assert bodies(logs) == records(range(5))


def test_log_records_that_are_not_taken_are_told(spool: Spool, receiver: OtlpReceiver) -> None:
    """How many are missing, and why, is on the line."""
    with OtlpReceiver() as logs:
        logs.accept_next_in_part(PartialSuccess(rejected_spans=1, error_message="too old"))
        arguments = ["--endpoint", receiver.http_endpoint, "--logs-endpoint", logs.http_endpoint]
        outcome = run("export", INCIDENT_ID, "--protocol", "http/protobuf", *arguments)

        assert outcome.exit_code == 0, outcome.output
        line = outcome.output.splitlines()[-1]
        assert line.endswith(", without 1 log record it does not take: too old")


@pytest.mark.parametrize("is_stdout", [True, False], ids=["stdout", "file"])
def test_a_file_of_their_own_holds_all_log_records(
    spool: Spool, tmp_path: Path, is_stdout: bool
) -> None:
    """Of each incident all that it has, whatever another one has; spans are in the other file."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file._log_exporter")
    spans, logs = tmp_path / "spans.jsonl", tmp_path / "logs.jsonl"

    arguments = ["--json", str(spans), "--json-logs", "-" if is_stdout else str(logs)]
    outcome = run("export", "--all", *arguments)

    assert outcome.exit_code == 0, outcome.output
    said = [line for line in outcome.output.splitlines() if not line.startswith("{")]
    if is_stdout:
        logs.write_text("\n".join(set(outcome.output.splitlines()) - set(said)))
    else:
        assert said[-1] == f"8 log records of 2 incidents written to {logs}"
    assert all(set(each) == {"resourceSpans"} for each in parsed(spans))
    assert all(set(each) == {"resourceLogs"} for each in parsed(logs))
    written = [
        record["body"]["stringValue"]
        for request in parsed(logs)
        for resource in request["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
    assert sorted(written) == sorted([*records(range(3)), *records(range(5))])
    assert [spool.of(LOGS_STATE_SUFFIX).state_of(entry).delivered for entry in spool.entries()] == [
        False
    ] * 2


def parsed(path: Path) -> list[dict[str, Any]]:
    """Return the requests of a file, one a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_kinds_of_lines_do_not_share_stdout(spool: Spool) -> None:
    """Nobody could tell what to do with which."""
    outcome = run("export", "--all", "--json", "-", "--json-logs", "-")

    assert outcome.exit_code == 2
    assert "only one of these can be written to stdout" in outcome.output
