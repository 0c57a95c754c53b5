"""`otel-flight list`: what is in the spool, whoever put it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.incidents.spool import DeliveryState, Spool
from tests.support.command_line import FAILED_ID, SLOW_ID, fill_spool, run


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
    spool.of_logs().save_state(older, DeliveryState(attempts=1, last_error="refused"))

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
