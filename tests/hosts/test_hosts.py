"""Each host is the same program with the recorder in it, and the incidents are those expected."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path

import pytest

from tests.hosts.comparison import differences, later
from tests.hosts.every_host import HOSTS
from tests.hosts.host import Host
from tests.hosts.host_run import HostRun, run_host
from tests.hosts.redis_server import RedisServer


def _case(host: Host) -> object:
    marks = [pytest.mark.hosts]
    if host.is_fast:
        marks.append(pytest.mark.hosts_fast)
    if host.is_apart:
        marks.append(pytest.mark.hosts_apart)
    if host.fault:
        marks.append(pytest.mark.xfail(strict=True, reason=host.fault))
    return pytest.param(host, id=host.name, marks=marks)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("host", [_case(host) for host in HOSTS])
def test_the_recorder_changes_nothing(
    host: Host, everybodys_path: Path, request: pytest.FixtureRequest
) -> None:
    """Answers, latency, log and end are those of a run without it, and the incidents are right."""
    skip_without(host)
    redis: RedisServer | None = None
    if host.needs_redis:
        redis = request.getfixturevalue("redis_server")

    runs = _both_ways(host, everybodys_path / "first", redis)
    found = differences(host, *runs)
    if found and found == list(later(*runs)):  # the machine was busy, or is it so each time?
        runs = _both_ways(host, everybodys_path / "again", redis)
        found = differences(host, *runs)
    if found:
        pytest.fail("\n".join([*found, "", "What it wrote:", runs[1].log[-8000:]]), pytrace=False)


def _both_ways(host: Host, folder: Path, redis: RedisServer | None) -> tuple[HostRun, HostRun]:
    """Run a host without the recorder, and with it."""
    folder.mkdir()
    folder.chmod(0o755)
    control, recorded = (
        run_host(
            host,
            folder / name,
            "" if redis is None else redis.empty_database(),
            is_recorded=name == "recorded",
        )
        for name in ("control", "recorded")
    )
    return control, recorded


def skip_without(host: Host) -> None:
    """Skip a host of which something is not installed."""
    for package in host.packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
    if host.needs_root and os.geteuid() != 0:
        pytest.skip("only root may run it")
    for program in host.programs:
        if shutil.which(program) is None:
            pytest.skip(f"there is no program {program}")
