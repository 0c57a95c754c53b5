"""Eight workers of a real server fail for one cause: that is one incident with eight windows."""

from __future__ import annotations

import http.client
import importlib.util
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from tests.hosts.redis_server import PROGRAM, RedisServer
from tests.support.processes.service_process import ServiceProcess, free_port

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(180)]

PROGRAMS: Final = Path(__file__).parent / "programs"
WORKERS: Final = 8
COMMANDS: Final = {
    "gunicorn": "-m gunicorn --workers 8 --bind 127.0.0.1:{port} broken_together",
    "gunicorn --preload": "-m gunicorn --preload -w 8 --bind 127.0.0.1:{port} broken_together",
    "uvicorn": "-m uvicorn --workers 8 --port {port} --log-level warning broken_together:asgi",
    "uwsgi": (
        "uwsgi --master --die-on-term --enable-threads --processes 8 --listen 64 "
        "--http-socket 127.0.0.1:{port} --virtualenv {environment} --module broken_together"
    ),
    "celery": "-m celery -A broken_together worker --pool prefork -c 8 --loglevel INFO",
}


@dataclass
class Service:
    """A server with workers.

    Attributes:
        process: its first one.
        ask: has one request or task done; returns its status, and the process that did it.
        broken: while this file is there, all fail.
        spool: where its incidents are.
        rings: where its rings are.
    """

    process: ServiceProcess
    ask: Callable[[], tuple[int, int]]
    broken: Path
    spool: Path
    rings: Path

    def until_all(self, status: int) -> set[int]:
        """Ask, sixteen at once, until so many processes have answered with a status."""
        seen: set[int] = set()
        until = time.monotonic() + 60
        with ThreadPoolExecutor(16) as pool:
            while len(seen) < WORKERS:
                assert time.monotonic() < until, (seen, self.process.output()[-4000:])
                answers = list(pool.map(lambda _: self.ask(), range(48)))
                seen |= {pid for found, pid in answers if found == status}
        return seen

    def incidents(self, count: int = 1) -> list[Incident]:
        """Return the incidents, when there are so many."""
        until = time.monotonic() + 60
        while len(found := sorted(self.spool.glob("*.flight"))) < count:
            assert time.monotonic() < until, self.process.output()[-4000:]
            time.sleep(0.05)
        return list(map(read_incident, found))

    def left_behind(self) -> list[Path]:
        """Return which rings are still there, some time after the server has ended."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            found = list(chain(self.rings.glob("*.ring"), self.rings.glob("*.claimed")))
            if not found:
                break
            time.sleep(0.1)
        return found


@contextmanager
def service(name: str, folder: Path, redis: str) -> Iterator[Service]:
    """Run a server until the block ends."""
    port = free_port()
    words = COMMANDS[name].format(port=port, environment=sys.prefix).split()
    is_celery = name == "celery"
    broken = folder / "broken"
    with ServiceProcess(
        words,
        launcher=["opentelemetry-instrument", *([sys.executable] if words[0] == "-m" else [])],
        environment={
            "BROKEN_FILE": str(broken),
            "REDIS": redis,
            "OTEL_SERVICE_NAME": "orders",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "celery,redis",
            "OTEL_FLIGHT_EXPORT": "off",
            "OTEL_FLIGHT_TAIL": "4s",
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
            "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        },
        working_directory=PROGRAMS,
        ready_address=f"tcp://127.0.0.1:{port}",
    ) as process:
        if is_celery:
            process.wait_for_output(" ready.", 60)
        else:
            process.wait_until_ready(60)
        ask = _celery_asker(redis) if is_celery else lambda: _get(port)
        yield Service(process, ask, broken, folder / "spool", folder / "ring")


def _get(port: int) -> tuple[int, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/orders")
        response = connection.getresponse()
        return response.status, int(response.read())
    except (OSError, http.client.HTTPException, ValueError):  # a worker that is being replaced
        return 0, 0
    finally:
        connection.close()


def _celery_asker(redis: str) -> Callable[[], tuple[int, int]]:
    import celery  # noqa: PLC0415  (only installed where hosts are)

    app = celery.Celery("client", broker=redis, backend=redis)

    def ask() -> tuple[int, int]:
        words = app.send_task("broken_together.order").get(timeout=30).split()
        return int(words[0]), int(words[1])

    return ask


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a Redis, if there is one."""
    if importlib.util.find_spec("celery") is None or shutil.which(PROGRAM) is None:
        pytest.skip("celery and redis-server are needed")
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.empty_database()


@pytest.mark.parametrize(
    "name",
    [pytest.param("gunicorn", marks=pytest.mark.hosts_fast), *list(COMMANDS)[1:]],
)
def test_one_cause_is_one_incident_with_a_window_of_each(
    name: str, tmp_path: Path, redis_url: str
) -> None:
    """Once, whichever worker was first; and nothing is left when the server has ended."""
    if name.partition(" ")[0] != "uwsgi":
        pytest.importorskip(name.partition(" ")[0])
    elif shutil.which("uwsgi", path=str(Path(sys.prefix) / "bin")) is None:
        pytest.skip("uwsgi is not installed")
    with service(name, tmp_path, redis_url) as server:
        served = server.until_all(200)
        server.broken.touch()
        failed = server.until_all(500)
        server.incidents()
        server.until_all(500)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()
        (incident,) = server.incidents()
        assert server.left_behind() == []

    windows = [incident, *incident.others]
    pids = [each.manifest.process["pid"] for each in windows]
    assert failed == served
    assert sorted(pids) == sorted(served)
    assert {cause.subject for cause in incident.manifest.causes} <= {"GET /orders", "order"}
    for each in windows:
        assert any(span.is_error for span in each.window.spans())


def test_a_rolling_restart_under_load_leaves_no_orphan_and_no_double(
    tmp_path: Path, redis_url: str
) -> None:
    """All workers are replaced while all fail: their cause is told once, and no ring is left."""
    pytest.importorskip("gunicorn")
    with service("gunicorn", tmp_path, redis_url) as server:
        old = server.until_all(200)
        is_over = threading.Event()
        answers: list[tuple[int, int]] = []

        def load() -> None:
            while not is_over.is_set():
                answers.append(server.ask())

        threads = [threading.Thread(target=load) for _ in range(12)]
        for each in threads:
            each.start()
        server.broken.touch()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 90
        while len({pid for status, pid in answers if status == 500} - old) < WORKERS:
            assert time.monotonic() < until, server.process.output()[-4000:]
            time.sleep(0.1)
        time.sleep(5)
        is_over.set()
        for each in threads:
            each.join()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()
        titles = [each.manifest.title for each in server.incidents()]
        assert titles == ["error span GET /orders"], titles
        (incident,) = server.incidents()
        assert server.left_behind() == []

    spans = [
        span.record.span_id
        for each in chain([incident], incident.others)
        for span in each.window.spans()
    ]
    assert len(spans) == len(set(spans))
