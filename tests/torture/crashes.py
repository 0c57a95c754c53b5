"""Kills a program again and again while it makes and delivers incidents; counts what arrived."""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_messages import ReceivedRequest, Transport, spans_in
from tests.support.receivers.otlp_receiver import OtlpReceiver

_VICTIM: Final = str(Path(__file__).with_name("crash_victim.py"))
_ANSWER_SECONDS: Final = 0.02
"""The receiver takes so long for each request, so that many a kill comes in the middle of one."""
_LONGEST_LIFE_SECONDS: Final = 2.0
_LONGEST_START_SECONDS: Final = 120.0
_DELIVERY_SECONDS: Final = 3600.0


@dataclass
class Crashes:
    """What became of the incidents of a program that was killed again and again.

    Attributes:
        cycles: how often it was killed.
        incidents: how many it has written.
        spans: how many spans are in them.
        missing: how many of these have not arrived.
        undelivered: how many incidents are not called delivered in the end.
        repeated_requests: how many requests arrived again, with all their spans.
        counted_requests: how many the incidents say that arrived twice perhaps.
        other_doubles: how many spans arrived twice in other ways.
    """

    cycles: int
    incidents: int = 0
    spans: int = 0
    missing: int = 0
    undelivered: int = 0
    repeated_requests: int = 0
    counted_requests: int = 0
    other_doubles: int = 0
    faults: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Note what is not as it is documented."""
        if not self.incidents:
            self.faults.append("no incident was written")
        if self.missing:
            self.faults.append(f"{self.missing} spans are missing")
        if self.undelivered:
            self.faults.append(f"{self.undelivered} incidents are not delivered")
        if self.other_doubles:
            self.faults.append(f"{self.other_doubles} spans arrived twice, and no request did")
        if self.repeated_requests > min(self.cycles, self.counted_requests):
            self.faults.append("more requests arrived twice than were killed, or than is known")


def crash(
    cycles: int,
    transport: Transport,
    *,
    seed: int = 1,
    say: Callable[[str], object] = lambda line: None,
) -> Crashes:
    """Kill a program so many times, then let it deliver; count what arrived.

    Args:
        cycles: how many times.
        transport: how it delivers.
        seed: of the moments at which it is killed.
        say: is told now and then how far it is.
    """
    source = random.Random(seed)
    requests: list[frozenset[int]] = []

    def take(request: ReceivedRequest) -> None:
        spans = spans_in(request.message)
        requests.append(frozenset(int.from_bytes(each.span.span_id, "big") for each in spans))

    with (
        tempfile.TemporaryDirectory(prefix="otel-flight-") as directory,
        OtlpReceiver(on_request=take) as receiver,
    ):
        receiver.answer_after(_ANSWER_SECONDS)
        folder = Path(directory)
        environment = {
            "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
            "OTEL_FLIGHT_SPOOL_INCIDENTS": "100000",
            "OTEL_FLIGHT_SPOOL_BYTES": "8GiB",
            "OTEL_FLIGHT_INCIDENTS_PER_HOUR": "3600",
            "OTEL_FLIGHT_COOLDOWN": "0",
            "OTEL_FLIGHT_TAIL": "0",
            "OTEL_FLIGHT_FLUSH_CPU_SHARE": "1",
            "OTEL_FLIGHT_ENDPOINT": receiver.endpoint(transport),
            "OTEL_FLIGHT_PROTOCOL": transport,
        }
        for cycle in range(cycles):
            with ServiceProcess([_VICTIM, "work"], environment=environment) as process:
                process.wait_for_output("begun", _LONGEST_START_SECONDS)
                time.sleep(source.uniform(0, _LONGEST_LIFE_SECONDS))
                process.send_signal(signal.SIGKILL)
                process.wait()
            if (cycle + 1) % 10 == 0:
                say(f"killed {cycle + 1} times, {len(requests)} requests arrived")
        with ServiceProcess([_VICTIM, "deliver"], environment=environment) as process:
            process.wait(_DELIVERY_SECONDS)
        return _counted(Crashes(cycles), Spool(folder / "spool", 1 << 40, 100_000), requests)


def _counted(found: Crashes, spool: Spool, requests: list[frozenset[int]]) -> Crashes:
    written: set[int] = set()
    for entry in spool.entries():
        found.incidents += 1
        found.undelivered += not entry.state.delivered
        found.counted_requests += entry.state.resent_chunks
        window = read_incident(entry.path).window
        written |= {span.record.span_id for span in window.spans()}
        written |= {span.record.span_id for span in window.unfinished()}
    arrived = Counter(span for request in requests for span in request)
    found.spans = len(written)
    found.missing = len(written - set(arrived))
    repeated = [request for request, times in Counter(requests).items() if times > 1]
    found.repeated_requests = sum(Counter(requests).values()) - len(set(requests))
    in_repeated = frozenset().union(*repeated)
    found.other_doubles = sum(
        times > 1 for span, times in arrived.items() if span not in in_repeated
    )
    found.judge()
    return found
