"""Probes and Prometheus are told how the agent is."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.agent.agent import Agent
from otel_flight.agent.health import HealthServer
from otel_flight.assembly import Settings
from otel_flight.testing.fake_clock import FakeClock


@pytest.fixture
def agent(own_environment: Path, tmp_path: Path) -> Iterator[Agent]:
    """An agent that does not run."""
    settings = Settings(export="off", spool_directory=str(tmp_path / "spool"))
    agent = Agent(settings, [own_environment])
    yield agent
    agent.stop()


@pytest.fixture
def url(agent: Agent) -> Iterator[str]:
    """Where it answers."""
    with HealthServer(agent, ("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.address[1]}"


def get(url: str) -> tuple[int, str]:
    """Return status and text of an answer."""
    try:
        with contextlib.closing(urllib.request.urlopen(url, timeout=10)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_an_agent_that_looks_is_well(agent: Agent, url: str) -> None:
    """It says where it keeps incidents, and what waits."""
    agent.look()

    status, text = get(f"{url}/health")
    assert status == 200
    assert json.loads(text)["status"] == "ok"
    assert json.loads(text)["spool"] == str(agent.spool.directory)


def test_an_agent_that_hangs_is_not(agent: Agent, url: str) -> None:
    """A probe that asks then lets it be started anew."""
    agent.looked_ns -= 61 * 10**9

    status, text = get(f"{url}/health")
    assert status == 503
    assert "has not looked" in json.loads(text)["problem"]


def test_counts_are_as_prometheus_reads_them(agent: Agent, url: str) -> None:
    """By the names that a recorder's have there."""
    agent.recovered = 3

    status, text = get(f"{url}/metrics")
    lines = text.splitlines()
    assert status == 200
    assert "# TYPE flight_recorder_incidents_total counter" in lines
    assert 'flight_recorder_incidents_total{flight_recorder_outcome="recovered"} 3' in lines
    assert "# TYPE flight_recorder_incidents_pending gauge" in lines


def test_nothing_else_is_answered(url: str) -> None:
    """There is nothing else to see."""
    assert get(f"{url}/")[0] == 404


def test_what_is_too_much_leaves_the_spool(own_environment: Path, tmp_path: Path) -> None:
    """Whoever has written it: services may have other settings."""
    directory = tmp_path / "spool"
    directory.mkdir(mode=0o700)
    for number in range(3):
        (directory / f"2026010{number}-000000-1-shop.flight").write_bytes(b"x")
    settings = Settings(export="off", spool_directory=str(directory), spool_incidents=2)
    agent = Agent(settings, [own_environment], FakeClock())
    stops = iter([False, True])

    agent.run(lambda seconds: next(stops))

    assert len(list(directory.glob("*.flight"))) == 2
    assert agent.evicted(delivered=False) == 1
    assert agent.guard.errors() == ()
