"""A day with a service: ordinary life with a deploy at noon, and faults in the midst of it.

Nothing but environment variables tells the service of the recorder, whose settings are the default
ones; only the tail of an incident is shorter, so that nobody waits for it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_flight.incidents.flight_file import read_manifest
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.spool.spool import Spool
from tests.hosts.redis_server import RedisServer
from tests.support.processes.service_process import ServiceFailedError, ServiceProcess, free_port
from tests.traffic.downstream import Downstream
from tests.traffic.service import Fault, Service

PROGRAMS: Final = Path(__file__).parent / "programs"
AT_ONCE: Final = 4
"""So many ordinary things happen at the same time."""
_FAULT_SECONDS: Final = 20.0
_START_SECONDS: Final = 120.0
_ENVIRONMENT: Final = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_FLIGHT_EXPORT": "off",
    "OTEL_FLIGHT_TAIL": "300ms",
}


@dataclass(frozen=True)
class Day:
    """What became of a day.

    Attributes:
        things: how many ordinary things happened.
        false: what incidents were called for which there was no reason.
        survived: how many were of what a request survived.
        found: of each fault, by its title, whether its incident came, called by it.
    """

    things: int
    false: list[str]
    survived: int
    found: dict[str, bool]


def live(service: Service, directory: Path, hours: int) -> Day:
    """Live through so many hours with a service, a restart in the middle, and its faults then.

    Args:
        service: which one.
        directory: an empty folder, where its files go.
        hours: in each, everything ordinary happens once.

    Raises:
        ServiceFailedError: it died, or did not begin.
    """
    with _surroundings(service, directory) as environment:
        for half in (hours // 2, hours - hours // 2):
            with _running(service, directory, environment) as (process, port):
                _live_ordinarily(service, port, half)
                process.send_signal(signal.SIGTERM)
                process.wait()
        quiet = [each.title for each in _incidents(directory)]
        with _running(service, directory, environment) as (process, port):
            found = _plant(service, directory, process, port)
    false = [title for title in quiet if not service.survived or title != service.survived]
    return Day(hours * len(service.ordinary), false, len(quiet) - len(false), found)


@contextmanager
def _surroundings(service: Service, directory: Path) -> Iterator[Mapping[str, str]]:
    with contextlib.ExitStack() as stack:
        environment = {
            **_ENVIRONMENT,
            "OTEL_SERVICE_NAME": service.name,
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(directory / "spool"),
            "OTEL_FLIGHT_RING_DIRECTORY": str(directory / "ring"),
            "DOWNSTREAM": stack.enter_context(Downstream()).url,
            "PYTHONDONTWRITEBYTECODE": "1",
            **service.environment,
        }
        if service.needs_redis:
            environment["REDIS"] = stack.enter_context(RedisServer(directory)).empty_database()
        yield environment


@contextmanager
def _running(
    service: Service, directory: Path, environment: Mapping[str, str]
) -> Iterator[tuple[ServiceProcess, int]]:
    port = free_port()
    with ServiceProcess(
        service.command.format(port=port).split(),
        instrumented=True,
        environment=environment,
        working_directory=PROGRAMS,
        output_path=directory / "output.txt",
        ready_address=f"tcp://127.0.0.1:{port}",
    ) as process:
        if service.ready:
            process.wait_for_output(service.ready, _START_SECONDS)
            (directory / "output.txt").write_text("")
        else:
            process.wait_until_ready(_START_SECONDS)
        yield process, int(environment["REDIS"].split(":")[2][:-2]) if service.needs_redis else port


def _live_ordinarily(service: Service, port: int, hours: int) -> None:
    """From the first moment on: it is cold then."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        acts = [act for _ in range(hours) for act in service.ordinary]
        for done in [pool.submit(act, port) for act in acts]:
            done.result()


def _plant(
    service: Service, directory: Path, process: ServiceProcess, port: int
) -> dict[str, bool]:
    is_over = threading.Event()

    def live_on() -> None:
        while not is_over.is_set():
            for act in service.ordinary:
                if not is_over.is_set():
                    act(port)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        others = [pool.submit(live_on) for _ in range(2)]
        try:
            return {
                each.title: _is_found(each, pool, directory, process, port)
                for each in service.faults
            }
        finally:
            is_over.set()
            for other in others:
                other.result()


def _is_found(
    fault: Fault,
    pool: ThreadPoolExecutor,
    directory: Path,
    process: ServiceProcess,
    port: int,
) -> bool:
    before = len(_incidents(directory))
    pool.submit(fault.act, port)
    try:
        process.wait_for(
            lambda: any(_is_of(each, fault) for each in _incidents(directory)[before:]),
            fault.title,
            _FAULT_SECONDS,
        )
    except ServiceFailedError:
        return False
    return True


def _is_of(incident: Manifest, fault: Fault) -> bool:
    if fault.culprit:
        return any(fault.culprit in each.summary for each in incident.findings[:1])
    return incident.title == fault.title


def _incidents(directory: Path) -> list[Manifest]:
    entries = Spool(directory / "spool", 1 << 30, 1000).entries()
    return [read_manifest(entry.path) for entry in entries]
