"""The comparison of two runs of a host names each thing that is not as it should be."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from otel_flight.incidents.manifest import Cause, Manifest
from tests.hosts.comparison import differences
from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.host_run import HostRun

HOST = Host(
    name="a server",
    section="Servers",
    command="serve",
    packages=(),
    instrumentations=(),
    traffic=lambda visit: None,
    incidents=(Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail")),
    says=("^smaller window",),
)


def incident(trigger: str, subject: str, *, spans: int = 3) -> Manifest:
    """Return the manifest of an incident."""
    cause = Cause(trigger=trigger, reason="it is so", subject=subject)
    return Manifest(incident_id="1", causes=[cause], spans=spans)


EXPECTED = [incident("slow_open_root", "GET /slow"), incident("error_span", "GET /fail")]
CONTROL = HostRun(
    answers=["GET /: 200"],
    healthy_seconds=[0.010, 0.011, 0.012],
    exit_code=0,
    ending_seconds=0.2,
    log="12:00 ready\nserved 4bf92f3577b34da6 in /control/app\nleaked {'/mp-jz5r75tc'}\n",
    folder=Path("/control"),
    incidents=[],
    left_processes=[],
    left_rings=[],
)
RECORDED = dataclasses.replace(
    CONTROL,
    log="12:01 ready\nsmaller window\nserved 00aa12bb34cc56dd in /recorded/app\nleaked {'/mp-_'}\n",
    folder=Path("/recorded"),
    incidents=EXPECTED,
)


def test_a_run_that_is_the_same_has_no_difference() -> None:
    """Times, ids and paths are no difference, nor is a line that may be written."""
    assert differences(HOST, CONTROL, RECORDED) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"answers": ["GET /: 500"]}, "answered 'GET /: 500' instead of 'GET /: 200'"),
        ({"answers": []}, "0 answers instead of 1"),
        (
            {"healthy_seconds": [0.040, 0.041, 0.042]},
            "a usual answer took 0.040 s instead of 0.010 s",
        ),
        ({"exit_code": -15}, "exited -15 instead of 0"),
        ({"ending_seconds": 7.3}, "ended after 7.30 s instead of 0.20 s"),
        ({"log": "12:01 ready\n12:02 ready\n"}, "wrote 1 more of the line '#:# ready'"),
        (
            {"incidents": [*EXPECTED, incident("loop_stall", "poll")]},
            "the incident 'it is so poll' (loop_stall) was not expected",
        ),
        (
            {"incidents": EXPECTED[:1]},
            "there is no incident error_span of 'GET /fail'",
        ),
        (
            {"incidents": [EXPECTED[0], incident("error_span", "GET /fail", spans=0)]},
            "the incident 'it is so GET /fail' (error_span) has no spans",
        ),
        ({"left_processes": ["serve"]}, "left these processes running: ['serve']"),
        ({"left_rings": ["7-a.ring"]}, "left these rings: ['7-a.ring']"),
    ],
)
def test_what_is_different_is_named(changes: dict[str, Any], sentence: str) -> None:
    """One change makes exactly its sentence."""
    recorded = dataclasses.replace(RECORDED, **changes)

    assert differences(HOST, CONTROL, recorded) == [sentence]


def test_an_incident_of_the_control_run_is_named() -> None:
    """There must be no recorder in it."""
    control = dataclasses.replace(CONTROL, incidents=EXPECTED[:1])

    assert differences(HOST, control, RECORDED) == [
        "the control run left the incident 'it is so GET /slow' (slow_open_root)"
    ]
