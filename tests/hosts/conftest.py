"""What hosts need besides their packages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.redis_server import RedisServer


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
