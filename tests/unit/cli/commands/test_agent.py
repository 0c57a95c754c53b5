"""The agent's options, as they are given and as the examples have them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.agent.privileges import Identity
from otel_flight.cli.commands.agent import agent
from tests.support.incidents.command_line import run

yaml = pytest.importorskip("yaml")
EXAMPLE = Path(__file__).parents[4] / "examples" / "agent"


def commands_in(value: Any) -> Iterator[list[str]]:
    """Yield the commands of all containers somewhere in a manifest."""
    if isinstance(value, dict):
        if "command" in value:
            yield list(value["command"])
        for each in value.values():
            yield from commands_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from commands_in(each)


def parsed(arguments: list[str]) -> dict[str, Any]:
    """Return what the command makes of its arguments."""
    return agent.make_context("agent", arguments).params


@pytest.mark.parametrize("name", ["sidecar.yaml", "daemonset.yaml"])
def test_the_manifests_start_it(name: str) -> None:
    """With options that it has."""
    manifest = yaml.safe_load((EXAMPLE / name).read_text(encoding="utf-8"))

    (command,) = (each for each in commands_in(manifest) if each[0] == "otel-flight")
    assert command[1] == "agent"
    found = parsed(command[2:])
    assert found["address"] == ("0.0.0.0", 9464)
    assert found["user"] in {None, Identity(10001, 10001)}


def test_the_unit_starts_it() -> None:
    """With options that it has."""
    lines = (EXAMPLE / "otel-flight-agent.service").read_text(encoding="utf-8").splitlines()

    (command,) = (shlex.split(each[10:]) for each in lines if each.startswith("ExecStart="))
    assert command[:2] == ["/opt/otel-flight/bin/otel-flight", "agent"]
    assert parsed(command[2:])["address"] == ("127.0.0.1", 9464)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--listen", "9464"], "'9464' is not HOST:PORT"),
        (["--listen", "localhost:http"], "'localhost:http' is not HOST:PORT"),
        (["--listen", "localhost:70000"], "'localhost:70000' is not HOST:PORT"),
        (["--user", "no-such-user"], "there is no user 'no-such-user'"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(options: list[str], complaint: str) -> None:
    """As those of any command."""
    outcome = run("agent", *options)

    assert outcome.exit_code == 2
    assert complaint in outcome.output


def test_an_address_may_be_of_ipv6() -> None:
    """In brackets, as in an URL."""
    assert parsed(["--listen", "[::1]:9464"])["address"] == ("::1", 9464)
