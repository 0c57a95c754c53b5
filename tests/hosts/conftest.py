"""What hosts need besides their packages, and what keeps what became of them."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.hosts import results
from tests.hosts.host import Host
from tests.hosts.redis_server import RedisServer

_found = pytest.StashKey[dict[str, results.HostResult]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to keep what becomes of hosts."""
    config.stash[_found] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what became of a host that was run."""
    report = yield
    host = getattr(getattr(item, "callspec", None), "params", {}).get("host")
    if isinstance(host, Host) and report.when == "call":
        outcome = "known fault" if hasattr(report, "wasxfail") else report.outcome
        if outcome != "skipped":
            item.config.stash[_found][host.name] = results.result_of(host, outcome)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it down."""
    if found := session.config.stash[_found]:
        results.keep(found, session.config.rootpath / results.FOLDER)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Give all hosts that need one the same Redis."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def everybodys_path() -> Iterator[Path]:
    """Return an empty folder that hosts of other users reach, too; pytest's they do not."""
    with tempfile.TemporaryDirectory(
        prefix="otel-flight-host-", ignore_cleanup_errors=True
    ) as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
