"""Kills workers of a real server again and again; counts what is left of each."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.records.records import OpenSpan
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.processes.service_process import ServiceProcess, free_port
from tests.torture.seen_in_jaeger import SeenInJaeger

THREADS: Final = 4
_ROOT: Final = Path(__file__).parents[2]
_APP: Final = "tests.torture.kill_victim"
SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "gunicorn": ("gunicorn", "--preload", "-w", "2", "-c", "gunicorn.conf.py", _APP),
    "celery": ("celery", "-A", _APP, "worker", "-P", "prefork", "-c", "2", "-l", "ERROR"),
}
_CONFIGURATION: Final = f"""
def post_worker_init(worker):
    from {_APP} import begin
    begin()
"""
_TICK_SECONDS: Final = 0.1
_MOST_DEAD: Final = 2
"""No more workers than these are dead and not recovered: a service keeps few rings of dead ones."""
_LONGEST_LIFE_SECONDS: Final = 0.6
_PATIENCE_SECONDS: Final = 60.0
_LONGEST_SEEN_SECONDS: Final = 10.0
"""In a Jaeger each incident is to be after so many seconds, at the latest."""


@dataclass
class Kills:
    """What is left of killed workers.

    Attributes:
        server: whose they were.
        kills: how many were killed.
        spans: how many of their spans had ended a tick before.
        lost: how many of these are in no incident.
        incidents: how many there are.
        longest_seconds: after this time each incident was there, at the latest.
        longest_seen_seconds: after this time each was in a Jaeger, if there is one.
    """

    server: str
    kills: int
    spans: int = 0
    lost: int = 0
    incidents: int = 0
    longest_seconds: float = 0.0
    longest_seen_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Killed:
    at_ns: int
    ended: Sequence[int]
    """The number of the last span of each thread, a tick before."""


def kill_workers(
    server: str,
    kills: int,
    *,
    jaeger: JaegerProcess | None = None,
    seed: int = 1,
    say: Callable[[str], object] = lambda line: None,
) -> Kills:
    """Kill so many workers of a server at any moment, and look for an incident of each.

    Args:
        server: one of `SERVERS`.
        kills: how many.
        jaeger: what the incidents are delivered to; None: to nobody.
        seed: of the moments.
        say: is told now and then how far it is.
    """
    source = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="otel-flight-") as directory:
        folder = Path(directory)
        (folder / "ended").mkdir()
        (folder / "gunicorn.conf.py").write_text(_CONFIGURATION)
        seen = None if jaeger is None else SeenInJaeger(jaeger, folder / "spool")
        killed: dict[int, _Killed] = {}
        with (
            seen or contextlib.nullcontext(),
            ServiceProcess(
                ["-m", *SERVERS[server]],
                environment=_environment(folder, jaeger),
                working_directory=folder,
            ) as process,
        ):
            while len(killed) < kills:
                _wait_for_recovery(process, folder, killed, _MOST_DEAD if seen is None else 0)
                if seen is not None:  # whoever delivers is not to be killed over it
                    process.wait_for(seen.has_all, "not delivered", _PATIENCE_SECONDS)
                pid = source.choice(_workers(process, folder, killed))
                killed[pid] = _kill(pid, folder, source)
                if len(killed) % 20 == 0:
                    say(f"{server}: killed {len(killed)}, {len(_files(folder))} incidents")
            _wait_for_recovery(process, folder, killed, 0)
            if seen is not None:
                process.wait_for(seen.has_all, "not delivered", _PATIENCE_SECONDS)
            # It is not asked to end: Celery waits for ever for a lock that a killed worker held.
        found = Kills(server, kills)
        _judge(found, killed, _files(folder))
        if seen is not None:
            _judge_seen(found, killed, seen)
        return found


def _environment(folder: Path, jaeger: JaegerProcess | None) -> dict[str, str]:
    return {
        "PYTHONPATH": str(_ROOT),
        "ENDED_DIRECTORY": str(folder / "ended"),
        "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{free_port()}",
        "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
        "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
        "OTEL_FLIGHT_SPOOL_INCIDENTS": "100000",
        "OTEL_FLIGHT_SPOOL_BYTES": "8GiB",
        "OTEL_FLIGHT_INCIDENTS_PER_HOUR": "3600",
        "OTEL_FLIGHT_COOLDOWN": "0",
        "OTEL_FLIGHT_EXPORT": "off" if jaeger is None else "otlp",
        "OTEL_FLIGHT_ENDPOINT": "" if jaeger is None else jaeger.address("http"),
        "OTEL_FLIGHT_PROTOCOL": "http/protobuf",
        "OTEL_FLIGHT_INCIDENT_LOG": "off",
        "OTEL_FLIGHT_WINDOW_BYTES": "4MiB",
    }


def _wait_for_recovery(
    process: ServiceProcess, folder: Path, killed: Container[int], most: int
) -> None:
    process.wait_for(
        lambda: len(_rings(folder, killed)) <= most, "not recovered", _PATIENCE_SECONDS
    )


def _workers(process: ServiceProcess, folder: Path, killed: Mapping[int, _Killed]) -> Sequence[int]:
    """Return the workers of which all threads are at work, and that have a ring by now."""
    found: list[int] = []

    def are_there() -> bool:
        pids = {_pid_of(each) for each in (folder / "ring").glob("*.ring")} - set(killed)
        found[:] = [pid for pid in sorted(pids) if all(_ended(pid, folder))]
        return bool(found)

    process.wait_for(are_there, "no worker", _PATIENCE_SECONDS)
    return found


def _kill(pid: int, folder: Path, source: random.Random) -> _Killed:
    time.sleep(source.uniform(0, _LONGEST_LIFE_SECONDS))
    before = _ended(pid, folder)
    time.sleep(_TICK_SECONDS)
    os.kill(pid, signal.SIGKILL)
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        while ") Z " not in stat.read_text():  # its ring is held until then
            time.sleep(0.001)
    return _Killed(time.time_ns(), before)


def _ended(pid: int, folder: Path) -> Sequence[int]:
    with contextlib.suppress(FileNotFoundError):  # a process that is no worker
        data = (folder / "ended" / str(pid)).read_bytes()
        if len(data) == 8 * THREADS:
            return memoryview(data).cast("Q").tolist()
    return [0]


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "spool").glob("*.flight"))


def _rings(folder: Path, killed: Container[int]) -> list[Path]:
    """Return the rings of killed workers, also those that are being recovered."""
    rings = [*(folder / "ring").glob("*.ring"), *(folder / "ring").glob("*.claimed")]
    return [each for each in rings if _pid_of(each) in killed]


def _pid_of(ring: Path) -> int:
    return int(ring.name.partition("-")[0])


def _judge(found: Kills, killed: Mapping[int, _Killed], files: Sequence[Path]) -> None:
    deaths: Counter[int] = Counter()
    numbers: dict[int, set[tuple[int, int]]] = {pid: set() for pid in killed}
    overwritten = set()
    for path in files:
        whole = read_incident(path)
        found.incidents += 1
        pid = int(whole.manifest.process["pid"])
        deaths[pid] += 1
        if pid in killed:
            seconds = (path.stat().st_mtime_ns - killed[pid].at_ns) / 1e9
            found.longest_seconds = max(found.longest_seconds, seconds)
        for incident in (whole, *whole.others):
            pid = int(incident.manifest.process["pid"])
            numbers.setdefault(pid, set()).update(_spans(incident))
            if incident.manifest.losses.evicted:
                overwritten.add(pid)
            if open_too := _ended_and_open(incident):
                found.faults.append(f"{open_too} spans of process {pid} ended and are open")
    for pid, one in killed.items():
        if deaths[pid] != 1:
            found.faults.append(f"{deaths[pid]} incidents of process {pid}")
        expected = set(_expected(one.ended, numbers[pid], is_whole=pid not in overwritten))
        found.spans += len(expected)
        found.lost += len(expected - numbers[pid])
    if others := set(deaths) - set(killed):
        found.faults.append(f"incidents of {len(others)} that nobody killed")
    if found.lost:
        found.faults.append(f"{found.lost} spans lost")


def _expected(
    ended: Sequence[int], there: Container[tuple[int, int]], *, is_whole: bool
) -> Iterator[tuple[int, int]]:
    """Yield what is to be there: all, or all from the oldest on if the window was overwritten."""
    for thread, last in enumerate(ended):
        numbers = range(1, last + 1)
        oldest = 1 if is_whole else next((each for each in numbers if (thread, each) in there), 1)
        yield from ((thread, number) for number in numbers[oldest - 1 :])


def _spans(incident: Incident) -> Iterator[tuple[int, int]]:
    """Yield thread and number of each span that had ended."""
    for record in (span.record for span in incident.window.spans()):
        if not isinstance(record, OpenSpan):
            yield int(record.attributes["thread"]), int(record.attributes["number"])


def _ended_and_open(incident: Incident) -> int:
    unfinished = {span.record.span_id for span in incident.window.unfinished()}
    ended = (span.record.span_id for span in incident.window.spans() if not span.is_open)
    return len(unfinished.intersection(ended))


def _judge_seen(found: Kills, killed: Mapping[int, _Killed], seen: SeenInJaeger) -> None:
    for pid, at_ns in seen.moments_ns.items():
        if pid in killed:
            seconds = (at_ns - killed[pid].at_ns) / 1e9
            found.longest_seen_seconds = max(found.longest_seen_seconds, seconds)
    if found.longest_seen_seconds > _LONGEST_SEEN_SECONDS:
        found.faults.append(f"seen after {found.longest_seen_seconds:.1f} s")
