"""What spans alone tell of a fault, in real services; every healthy twin fires nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from otel_flight.incidents.manifest import Finding
from tests.faults.fault_run import Fault, FaultyRun, run_healthy, run_with_fault

SPANS_ALONE: Final = {
    "OTEL_FLIGHT_STACKS_AFTER": "off",
    "OTEL_FLIGHT_LOOP_STALL": "off",
    "OTEL_FLIGHT_LOOP_STALL_TRIGGER": "off",
}
"""No stacks, which say more: here it is about what is known without them."""

N_PLUS_ONE: Final = Fault(program="n_plus_one", requests=("/orders",), trigger="slow_root")
WRAPPED_ERROR: Final = Fault(
    program="wrapped_error", requests=("/checkout",), trigger="error_span", environment=SPANS_ALONE
)
LARGE_ARCHIVE: Final = Fault(
    program="large_archive", requests=("/archive",), trigger="slow_root", environment=SPANS_ALONE
)
COSTLY_HASH: Final = Fault(
    program="costly_hash", requests=("/sign-in",), trigger="slow_root", environment=SPANS_ALONE
)
STOCK_LOCK: Final = Fault(
    program="stock_lock",
    requests=("/order",),
    trigger="slow_root",
    environment={**SPANS_ALONE, "OTEL_FLIGHT_SLOW_ROOT_ROUTES": "recount stock=off"},
)
LOST_REPLY: Final = Fault(
    program="lost_reply",
    requests=("/quote",),
    trigger="slow_open_root",
    environment={**SPANS_ALONE, "OTEL_FLIGHT_SLOW_OPEN_ROOT": "true"},
)
PILE_UP: Final = Fault(
    program="pile_up",
    warm_up=("/ok",) * 24,
    warm_up_seconds=5.5,
    requests=("/label",) * 20,
    apart_seconds=0.005,
    trigger="slow_root",
    environment=SPANS_ALONE,
)
RETRIES: Final = Fault(
    program="retries", requests=("/pay",), trigger="slow_root", environment=SPANS_ALONE
)
SLOW_INVENTORY: Final = Fault(
    program="slow_inventory", requests=("/rare",), trigger="slow_root", environment=SPANS_ALONE
)
ALL: Final = (
    N_PLUS_ONE,
    WRAPPED_ERROR,
    LARGE_ARCHIVE,
    COSTLY_HASH,
    STOCK_LOCK,
    LOST_REPLY,
    PILE_UP,
    RETRIES,
    SLOW_INVENTORY,
)


def finding_of(run: FaultyRun, rule: str) -> Finding:
    """Return the finding of a rule, which `otel-flight show` must show as well."""
    (finding,) = [each for each in run.findings if each.rule == rule]
    assert " ".join(finding.summary.split()) in " ".join(run.shown.split())
    return finding


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.program)
def test_the_healthy_twin_fires_nothing(tmp_path: Path, fault: Fault) -> None:
    """Without the fault the same requests make no incident, and nothing is found in them."""
    run = run_healthy(fault, tmp_path)

    assert list(run.firings) == []
    assert list(run.findings) == []
    assert set(run.statuses) == {200}


def test_one_query_a_row(tmp_path: Path) -> None:
    """The query is named, how often it ran, and in which request."""
    run = run_with_fault(N_PLUS_ONE, tmp_path)

    finding = finding_of(run, "repeated_child")
    assert finding is run.findings[0]
    assert finding.summary.startswith("`SELECT customer` ran 60 times in `GET /orders`, one after")
    assert finding.explained_share > 0.7
    assert list(run.statuses) == [200]


def test_an_error_that_was_wrapped_on_its_way(tmp_path: Path) -> None:
    """The innermost span is named, the first exception, and the line that raised it."""
    run = run_with_fault(WRAPPED_ERROR, tmp_path)

    finding = finding_of(run, "error_origin")
    assert finding is run.findings[0]
    assert finding.summary.startswith("`sign payment` failed with KeyError: 'bank' (at wrapped_er")
    assert " in read_key); so did `charge card`" in finding.summary
    assert [cause.title for cause in run.incident.manifest.causes] == [
        "error span GET /checkout (in sign payment)"
    ]
    assert "error span  GET /checkout  in sign payment\n  KeyError: 'bank'" in run.shown
    assert list(run.statuses) == [500]


def test_a_step_that_takes_most_of_the_time(tmp_path: Path) -> None:
    """The span is named, with its share and what it usually takes."""
    run = run_with_fault(LARGE_ARCHIVE, tmp_path)

    finding = finding_of(run, "slow_child")
    assert finding is run.findings[0]
    assert finding.summary.startswith("`compress invoices` took ")
    assert "; it usually takes " in finding.summary
    assert finding.explained_share > 0.7


def test_code_without_a_span(tmp_path: Path) -> None:
    """Where no span tells what it was, it is said that it was outside of all of them."""
    run = run_with_fault(COSTLY_HASH, tmp_path)

    finding = finding_of(run, "self_time")
    assert finding is run.findings[0]
    assert "of `GET /sign-in`" in finding.summary
    assert "passed outside its child spans" in finding.summary
    assert finding.explained_share > 0.7


def test_a_job_that_held_what_a_request_waited_for(tmp_path: Path) -> None:
    """The step that waited comes first, and the job that ended with the wait is named."""
    run = run_with_fault(STOCK_LOCK, tmp_path)

    assert run.findings[0] is finding_of(run, "slow_child")
    assert run.findings[0].summary.startswith("`reserve stock` took ")
    together = finding_of(run, "ended_together")
    assert together.summary.startswith("`recount stock` ran all the while and ended ")


def test_a_request_that_never_ends(tmp_path: Path) -> None:
    """What it is in is named, and that it was still open when the incident closed."""
    run = run_with_fault(LOST_REPLY, tmp_path)

    assert run.findings[0] is finding_of(run, "slow_child")
    assert run.findings[0].summary.startswith("`receive quote` was open for ")
    unfinished = finding_of(run, "unfinished")
    assert "`GET /quote` was still open when the incident closed" in unfinished.summary
    assert unfinished.summary.endswith("; inside it `receive quote` had not ended either")


def test_requests_that_pile_up(tmp_path: Path) -> None:
    """What they wait for comes first, and how many of which kind were open at the trigger."""
    run = run_with_fault(PILE_UP, tmp_path)

    crowd = finding_of(run, "requests_in_flight")
    assert "`GET /label`" in crowd.summary
    assert crowd.evidence["open_at_trigger"] >= 8
    assert run.findings[0] is finding_of(run, "slow_child")
    assert run.findings[0].summary.startswith("`wait for a printer` took ")


def test_a_call_that_was_tried_again(tmp_path: Path) -> None:
    """The call is named, how often it was tried, and how it failed."""
    run = run_with_fault(RETRIES, tmp_path)

    finding = finding_of(run, "retries")
    assert finding is run.findings[0]
    assert finding.summary.startswith("`GET` was tried 3 times in `charge card`: ")
    assert finding.summary.endswith(
        "; the first 2 failed with TimeoutError: timed out, the last one succeeded"
    )
    assert list(run.statuses) == [200]


def test_another_service_that_became_slow(tmp_path: Path) -> None:
    """Whom it asked is named, and how fast the answers were before."""
    run = run_with_fault(SLOW_INVENTORY, tmp_path)

    finding = finding_of(run, "slow_downstream")
    assert finding is run.findings[0]
    assert finding.summary.startswith("`GET` to 127.0.0.1:")
    assert "; the 20 calls before took " in finding.summary
    assert finding.explained_share > 0.7
