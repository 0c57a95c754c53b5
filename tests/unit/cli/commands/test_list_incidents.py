"""`otel-flight list`: what is in the spool, whoever put it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.ground.own_files import own_name
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool, run


@pytest.fixture
def spool(tmp_path: Path, own_environment: Path) -> Spool:
    """The spool that the environment names, with two incidents."""
    fill_spool(tmp_path / "spool", own_environment)
    return Spool(tmp_path / "spool", 1 << 30, 10)


def test_incidents_are_listed_newest_first(spool: Spool) -> None:
    """A line each: id, what happened, service, spans, delivery; in a pipe nothing is cut."""
    lines = run("list").output.splitlines()

    assert [line.split()[0] for line in lines] == ["id", FAILED_ID, SLOW_ID]
    assert "slow local root GET /report" in lines[2]
    assert lines[2].split()[-3:-1] == ["shop", "22"]
    assert lines[2].split()[-1] == "waiting"


def test_the_delivery_is_told(spool: Spool) -> None:
    """What was delivered, and what is failing, can be told from what only waits."""
    older, newer = spool.entries()
    spool.save_state(older, DeliveryState(delivered=True, endpoint="http://collector:4317"))
    spool.save_state(newer, DeliveryState(attempts=1, last_error="refused"))

    lines = run("list").output.splitlines()

    assert [line.split()[-1] for line in lines[1:]] == ["failing", "delivered"]


def test_what_was_sent_nowhere_is_not_called_delivered(spool: Spool) -> None:
    """It is in a file beside its own, or in its own alone."""
    older, newer = spool.entries()
    copy = str(spool.json_path(older))
    spool.save_state(older, DeliveryState(delivered=True, endpoint=copy))
    spool.save_state(newer, DeliveryState(delivered=True, last_error="not installed"))

    lines = run("list").output.splitlines()

    assert lines[1].endswith("  kept in the spool only")
    assert lines[2].endswith("  copied to OTLP-JSON")
    assert "copied to OTLP-JSON, as no endpoint is configured" in run("show", SLOW_ID).output


def test_an_exporter_of_the_programs_own_delivers(spool: Spool) -> None:
    """Its endpoint is the name of a class."""
    older, _ = spool.entries()
    spool.save_state(older, DeliveryState(delivered=True, endpoint="OTLPSpanExporter"))

    assert run("list").output.splitlines()[2].endswith("  delivered")
    assert "delivered to OTLPSpanExporter" in run("show", SLOW_ID).output


def test_a_delivery_without_some_spans_is_told(spool: Spool) -> None:
    """What the backend does not take is not passed over."""
    older, newer = spool.entries()
    refused = DeliveryState(delivered=True, endpoint="http://c:4317", undeliverable_spans=2)
    spool.save_state(older, refused)
    spool.save_state(newer, DeliveryState(undeliverable_spans=1))

    lines = run("list").output.splitlines()

    assert lines[1].endswith("waiting")
    assert lines[2].endswith("delivered without 2 spans")
    assert run("list", "--json").json()[1]["delivery"]["undeliverable_spans"] == 2


def test_the_delivery_of_log_records_is_told_where_there_is_one(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the file a service has left, or by a setting; otherwise nothing is said of them."""
    older = spool.entries()[0]
    spool.save_state(older, DeliveryState(delivered=True, endpoint="http://c:4317"))
    spool.of(LOGS_STATE_SUFFIX).save_state(older, DeliveryState(attempts=1, last_error="refused"))

    lines = run("list").output.splitlines()
    found = run("list", "--json").json()
    monkeypatch.setenv("OTEL_FLIGHT_LOGS_ENDPOINT", "http://l:4318")
    configured = run("list").output.splitlines()

    assert lines[1].endswith("  waiting")
    assert lines[2].endswith("  delivered, logs failing")
    assert found[0]["log_delivery"] is None
    assert found[1]["log_delivery"]["last_error"] == "refused"
    assert configured[1].endswith("  waiting, logs waiting")


def test_json_is_for_scripts(spool: Spool) -> None:
    """Everything on the lines, and the findings, by name."""
    newest, oldest = run("list", "--json").json()

    assert (newest["id"], oldest["id"]) == (FAILED_ID, SLOW_ID)
    assert oldest["title"] == "slow local root GET /report"
    assert oldest["service"] == "shop"
    assert oldest["delivery"]["delivered"] is False
    assert oldest["refused"] == {"firings": 0, "causes": {}}
    assert oldest["findings"][0].startswith("`inventory` took 1.49s")
    assert Path(oldest["path"]).exists()


def test_the_number_can_be_limited(spool: Spool) -> None:
    """Only the newest so many."""
    (only,) = run("list", "--limit", "1", "--json").json()

    assert only["id"] == FAILED_ID


def test_a_damaged_file_does_not_hide_the_others(spool: Spool) -> None:
    """An unreadable incident has a line that says so."""
    (spool.directory / "20260103-000000-dead00-shop.flight").write_bytes(b"junk")

    outcome = run("list")

    assert outcome.exit_code == 0
    assert "20260103-000000-dead00  unreadable: " in outcome.output
    assert SLOW_ID in outcome.output


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_the_directory_can_be_named(spool: Spool, tmp_path: Path, is_before: bool) -> None:
    """The option wins over the environment, before or after the command's name."""
    option = ["--spool-directory", str(tmp_path / "other")]

    outcome = run(*option, "list") if is_before else run("list", *option)

    assert outcome.output == f"no incidents in {tmp_path / 'other'}\n"


def test_a_damaged_incident_is_named(spool: Spool) -> None:
    """Before a service has met it, and after it set it aside; `show` says what is wrong with it."""
    older, newer = spool.entries()
    older.path.write_bytes(older.path.read_bytes()[:-100])
    newer.path.write_bytes(b"")
    spool.set_aside(newer)

    lines = run("list").output.splitlines()

    assert [line.split()[0] for line in lines[1:]] == [FAILED_ID, SLOW_ID]
    assert "unreadable: it is no zip archive" in lines[1]
    assert lines[1].endswith("set aside")
    assert "unreadable: it is no zip archive" in lines[2]
    assert [each["is_damaged"] for each in run("list", "--json").json()] == [True, False]
    for incident_id in (FAILED_ID, SLOW_ID):
        shown = run("show", incident_id)
        assert shown.exit_code == 1
        assert len(shown.output.splitlines()) == 1
        assert "is not a readable incident: it is no zip archive" in shown.output
    assert run("export", "--all", "--json", "-").exit_code == 1


def test_incidents_in_a_directory_that_had_to_do_are_listed(
    tmp_path: Path, own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services that cannot use the usual one say so; this says it, too, and where theirs are."""
    monkeypatch.delenv("OTEL_FLIGHT_SPOOL_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").write_text("no directory")
    usual = tmp_path / "file" / "otel-flight" / "spool"
    instead = tmp_path / own_name() / "spool"
    empty = run("list").output
    fill_spool(instead, own_environment)

    listed = run("list").output

    warning = f"otel-flight: warning: incidents cannot be kept in {usual}: Not a directory"
    assert warning in empty
    assert f"no incidents in {instead}" in empty
    assert warning in listed
    assert FAILED_ID in listed
    assert run("show", "last").exit_code == 0
    assert run("show", FAILED_ID[:12]).exit_code == 0

    (tmp_path / "file").unlink()  # by now it could be used
    (tmp_path / own_name() / "more").mkdir()
    assert f"no incidents in {usual}" in run("list").output


def test_a_directory_that_is_given_is_looked_into_whoever_has_it(
    tmp_path: Path, own_environment: Path
) -> None:
    """Root looks at what services of other users have left."""
    theirs = tmp_path / "theirs"
    fill_spool(theirs, own_environment)
    theirs.chmod(0o777)

    outcome = run("list", "--spool-directory", str(theirs))

    assert FAILED_ID in outcome.output
    assert "warning" not in outcome.output
