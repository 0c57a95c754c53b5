"""`otel-flight export`: to a real receiver, to a file, and what happens when that fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool, run
from tests.support.receivers.otlp_messages import PartialSuccess, Refusal
from tests.support.receivers.otlp_receiver import OtlpReceiver


@pytest.fixture
def spool(tmp_path: Path, own_environment: Path) -> Spool:
    """The spool that the environment names, with two incidents."""
    fill_spool(tmp_path / "spool", own_environment)
    return Spool(tmp_path / "spool", 1 << 30, 10)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A backend."""
    with OtlpReceiver() as receiver:
        yield receiver


def recorded(receiver: OtlpReceiver) -> list[str]:
    """Return the names of the received spans that the service recorded."""
    return [
        item.span.name
        for item in receiver.spans()
        if not any(each.key == "flight_recorder.kind" for each in item.span.attributes)
    ]


@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_an_incident_is_sent_to_the_endpoint(
    spool: Spool, receiver: OtlpReceiver, transport: str
) -> None:
    """All its spans arrive, by either protocol, and the spool knows."""
    endpoint = receiver.grpc_endpoint if transport == "grpc" else receiver.http_endpoint

    outcome = run("export", SLOW_ID, "--endpoint", endpoint, "--protocol", transport)

    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.startswith(f"{SLOW_ID}: ")
    assert f"sent to {endpoint}" in outcome.output
    assert {"GET /report", "inventory", "GET /items"} == set(recorded(receiver))
    assert len(recorded(receiver)) == 22
    assert spool.find(SLOW_ID).state.delivered
    assert not spool.find(FAILED_ID).state.delivered


def test_spans_that_are_not_taken_are_told(spool: Spool, receiver: OtlpReceiver) -> None:
    """The rest was sent; how many are missing, and why, is on the line."""
    receiver.accept_next_in_part(PartialSuccess(rejected_spans=1, error_message="too old"))

    outcome = run("export", SLOW_ID, "--endpoint", receiver.grpc_endpoint)

    assert outcome.exit_code == 0, outcome.output
    line = outcome.output.splitlines()[-1]
    assert line.endswith(
        f"sent to {receiver.grpc_endpoint}, without 1 span it does not take: too old"
    )


def test_the_configured_endpoint_is_used(
    spool: Spool, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporters' own variable is enough."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.grpc_endpoint)

    outcome = run("export", "--all")

    assert outcome.exit_code == 0, outcome.output
    assert [entry.state.delivered for entry in spool.entries()] == [True, True]


def test_nothing_is_sent_twice_unless_asked(spool: Spool, receiver: OtlpReceiver) -> None:
    """What the endpoint has is not sent again, as some backends would keep both copies."""
    arguments = ["export", SLOW_ID, "--endpoint", receiver.grpc_endpoint]
    run(*arguments)
    receiver.clear()

    again = run(*arguments)
    assert again.exit_code == 0
    assert "has it already" in again.output
    assert receiver.spans() == []

    assert run(*arguments, "--again").exit_code == 0
    assert len(recorded(receiver)) == 22


def test_an_endpoint_that_refuses_is_an_exit_code(spool: Spool, receiver: OtlpReceiver) -> None:
    """The others are sent nonetheless; the refused one stays, and its line says why."""
    receiver.refuse_next(1, Refusal(http_status=400, grpc_code="INVALID_ARGUMENT"))

    arguments = ["--endpoint", receiver.http_endpoint, "--protocol", "http/protobuf"]
    outcome = run("export", "--all", *arguments)

    assert outcome.exit_code == 5
    assert f"otel-flight: {SLOW_ID}: no delivery to {receiver.http_endpoint}" in outcome.output
    assert [entry.state.delivered for entry in spool.entries()] == [False, True]


def test_a_backend_that_refuses_everything_is_not_asked_for_ever(
    spool: Spool, receiver: OtlpReceiver
) -> None:
    """After two failures in a row the rest is not tried, and that is said."""
    receiver.refuse_next(9, Refusal(http_status=400, grpc_code="INVALID_ARGUMENT"))
    names = [SLOW_ID, FAILED_ID, SLOW_ID]

    outcome = run("export", *names, "--endpoint", receiver.grpc_endpoint)

    assert outcome.exit_code == 5
    assert outcome.output.endswith("otel-flight: 1 more incident not tried\n")


def test_without_an_endpoint_nothing_is_guessed(spool: Spool) -> None:
    """The exporters' default of localhost is not what somebody meant who named nothing."""
    outcome = run("export", "--all")

    assert outcome.exit_code == 2
    assert "no endpoint is configured: give --endpoint or --json" in outcome.output


def test_an_incident_of_another_process_is_left_to_it(spool: Spool, receiver: OtlpReceiver) -> None:
    """While a service delivers it, nobody else does."""
    with spool.claim(spool.find(SLOW_ID)):
        outcome = run("export", SLOW_ID, "--endpoint", receiver.grpc_endpoint)

    assert outcome.exit_code == 5
    assert "another process is delivering it just now" in outcome.output
    assert receiver.spans() == []


def test_a_file_from_elsewhere_can_be_sent(
    spool: Spool, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    """An incident that was copied from another machine needs no spool of its own."""
    elsewhere = tmp_path / "copied" / "from-production.flight"
    elsewhere.parent.mkdir()
    shutil.copy(spool.find(SLOW_ID).path, elsewhere)

    outcome = run("export", str(elsewhere), "--endpoint", receiver.grpc_endpoint)

    assert outcome.exit_code == 0, outcome.output
    assert len(recorded(receiver)) == 22


@pytest.mark.parametrize("is_stdout", [True, False], ids=["stdout", "file"])
def test_json_lines_hold_every_span(spool: Spool, tmp_path: Path, is_stdout: bool) -> None:
    """Each line is an OTLP request by itself; all spans of all incidents are in them."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    target = tmp_path / "incidents.otlp.json"

    outcome = run("export", "--all", "--json", "-" if is_stdout else str(target))

    text = outcome.output if is_stdout else target.read_text()
    requests = [json.loads(line) for line in text.splitlines()]
    names = [
        span["name"]
        for request in requests
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
        if "flight_recorder.kind" not in {each["key"] for each in span["attributes"]}
    ]
    assert outcome.exit_code == 0
    assert (names.count("inventory"), names.count("charge card")) == (2, 1)
    assert [entry.state.delivered for entry in spool.entries()] == [False, False]


def test_a_file_that_cannot_be_written_is_one_line(spool: Spool, tmp_path: Path) -> None:
    """A missing directory is said, and nothing is left behind."""
    outcome = run("export", SLOW_ID, "--json", str(tmp_path / "missing" / "x.json"))

    assert outcome.exit_code == 1
    assert outcome.output.count("\n") == 1
