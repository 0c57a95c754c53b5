"""`otel-flight show`: an incident by id, by its beginning, by `last`, or by its path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otel_flight.incidents.spool import DeliveryState, Spool, SpoolEntry
from tests.support.command_line import FAILED_ID, SLOW_ID, fill_spool, run


@pytest.fixture
def slow(tmp_path: Path, own_environment: Path) -> SpoolEntry:
    """The older of two incidents in the spool, of a slow request."""
    return fill_spool(tmp_path / "spool", own_environment)[0]


@pytest.mark.parametrize("name", [SLOW_ID, SLOW_ID[:8], "path"])
def test_an_incident_is_found_by_any_name(slow: SpoolEntry, name: str) -> None:
    """The id, the beginning of it, and the file's path mean the same."""
    outcome = run("show", str(slow.path) if name == "path" else name)

    assert outcome.exit_code == 0
    assert outcome.output.startswith(f"Incident {SLOW_ID}  2026-01-01 10:00:02.100 UTC\n")
    assert "[1] `inventory` took 1.49s of the 1.6s of `GET /report` (93%)" in outcome.output
    assert "delivery  not delivered" in outcome.output


def test_last_is_the_newest(slow: SpoolEntry) -> None:
    """Whoever is called at night types `last`."""
    assert run("show", "last").output.startswith(f"Incident {FAILED_ID}")


def test_a_file_outside_a_spool_has_no_delivery(slow: SpoolEntry, tmp_path: Path) -> None:
    """A file that was copied from elsewhere is shown, and nothing is said of its delivery."""
    elsewhere = tmp_path / "from-production.flight"
    shutil.copy(slow.path, elsewhere)

    outcome = run("show", str(elsewhere))

    assert outcome.exit_code == 0
    assert outcome.output.startswith(f"Incident {SLOW_ID}")
    assert "delivery" not in outcome.output.split("Window and delivery")[1]


def test_the_delivery_and_the_copy_are_shown(slow: SpoolEntry, tmp_path: Path) -> None:
    """Where the incident went, and where its OTLP-JSON copy is."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    spool.save_state(slow, DeliveryState(delivered=True, endpoint="http://collector:4317"))
    spool.json_path(slow).write_text("{}")

    output = run("show", SLOW_ID).output

    assert "delivery   delivered to http://collector:4317" in output
    assert f"OTLP-JSON  {spool.json_path(slow)}" in output


def test_limits_can_be_set_and_lifted(slow: SpoolEntry) -> None:
    """Few rows by option, all of them by another."""
    few = run("show", SLOW_ID, "--rows", "1", "--requests", "2").output
    everything = run("show", SLOW_ID, "--all").output

    assert "… 1 more inventory" in few
    assert "… 13 more; in all 15 × GET /items" in few
    assert everything.split("Meanwhile")[1].count("GET /items") == 15


def test_json_has_manifest_findings_and_timeline(slow: SpoolEntry) -> None:
    """A script gets everything the report is made of, unlimited."""
    found = run("show", SLOW_ID, "--json").json()

    assert found["id"] == SLOW_ID
    assert found["manifest"]["causes"][0]["trigger"] == "slow_root"
    assert [finding["rule"] for finding in found["findings"]] == ["slow_child"]
    assert [row["name"] for row in found["timeline"]["rows"]] == ["GET /report", "inventory"]
    assert len(found["timeline"]["neighbours"]) == 15
    assert found["delivery"]["delivered"] is False
