"""What became of the hosts, kept for the page of compatibility."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Final

import msgspec

from tests.hosts.host import Host

FOLDER: Final = Path("build/hosts")
"""Below the root; a file for each Python."""
_SDK: Final = "opentelemetry-sdk"


class HostResult(msgspec.Struct, frozen=True):
    """What became of one host."""

    outcome: str
    """It is `passed`, `failed`, or `known fault`; a host that was skipped has no result."""
    versions: dict[str, str]
    """Its distributions and their versions."""


class Results(msgspec.Struct, kw_only=True):
    """What became of the hosts on one Python."""

    python: str
    sdk: str
    """The version of opentelemetry-sdk; empty: each host has its own among its versions."""
    hosts: dict[str, HostResult]
    """By the host's name."""


def result_of(host: Host, outcome: str) -> HostResult:
    """Return a result with the versions that are installed."""
    versions = {name: importlib.metadata.version(name) for name in host.packages}
    return HostResult(outcome, versions)


def keep(hosts: dict[str, HostResult], folder: Path) -> None:
    """Add results to those that this Python has, and write them."""
    python = platform.python_version()
    path = folder / f"{python.rpartition('.')[0]}.json"
    results = read(path) if path.exists() else Results(python=python, sdk="", hosts={})
    results.hosts |= hosts
    if not all(_SDK in each.versions for each in hosts.values()):
        results.sdk = importlib.metadata.version(_SDK)
    write(results, path)


def read(path: Path) -> Results:
    """Return the results of a file."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, path: Path) -> None:
    """Write results as JSON for people, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
