"""What is fuzzed: each takes any bytes, and raises where a reader raised what it should not."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from otel_flight.assembly import ASSEMBLY, Settings
from otel_flight.errors import NotARing
from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.ground.guard import Guard
from otel_flight.incidents.making.completion import new_incident_id
from otel_flight.incidents.recovery.recoverer import Recoverer
from otel_flight.incidents.spool.spool import Spool
from otel_flight.interpreter.written_stacks import parse_stacks
from otel_flight.records.decoder import decode_records
from otel_flight.ring.file import RING_SUFFIX
from otel_flight.ring.layout import HEADER_BYTES, W_PID, WORD
from otel_flight.triggers.gate.death import death_firing
from otel_flight.triggers.gate.gate import Gate
from otel_flight.triggers.gate.shared_file import SharedFile
from otel_flight.triggers.gate.state import GateState, Member
from otel_flight.triggers.latency.knowledge import FILE_NAME, read_knowledge, write_knowledge
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.latency.sketch import LatencySketch
from tests.support.damaged.damage import damaged_member
from tests.support.damaged.damaged_files import DamagedFiles

_STACKS: Final = b"""Fatal Python error: Segmentation fault

Current thread 0x00007f04dbfff6c1 [worker] (most recent call first):
  File "a.py", line 3 in f
  ...
"""


class Target(NamedTuple):
    """Something that is fuzzed.

    Attributes:
        read: reads bytes in every way.
        seed: bytes as the package writes them.
    """

    read: Callable[[bytes], object]
    seed: bytes


def targets(directory: Path) -> Mapping[str, Target]:
    """Return all there are, by their names; their files are in a directory."""
    files = DamagedFiles(directory)
    return {
        "flight": Target(files.is_flight, files.flight),
        "manifest": Target(
            lambda data: files.is_flight(damaged_member(files.flight, 0, lambda member: data)),
            _manifest(files),
        ),
        "state": Target(files.is_state, files.state),
        "ring": Target(lambda data: files.is_ring(data + files.ring[len(data) :]), files.ring),
        "header": Target(
            lambda data: files.is_ring(
                data[:HEADER_BYTES] + files.ring[len(data[:HEADER_BYTES]) :]
            ),
            files.ring[:HEADER_BYTES],
        ),
        "records": Target(lambda data: decode_records(data, 100), files.ring[HEADER_BYTES:][:2000]),
        "stacks": Target(lambda data: parse_stacks(data.decode(errors="replace")), _STACKS),
        "dead": _dead(directory / "dead", files.ring),
        "limits": _limits(directory / "limits"),
        "gate": _gate(directory / "gate"),
    }


def _manifest(files: DamagedFiles) -> bytes:
    found: list[bytes] = []

    def keep(member: bytes) -> bytes:
        found.append(member)
        return member

    damaged_member(files.flight, 0, keep)
    return found[0]


def _dead(directory: Path, ring: bytes) -> Target:
    """Return the recovery of a ring whose process is gone."""
    path = directory / f"dead{RING_SUFFIX}"
    seed = bytearray(ring)
    seed[WORD * W_PID : WORD * (W_PID + 1)] = (1 << 30).to_bytes(WORD, "little")

    def read(data: bytes) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        path.write_bytes(data + bytes(seed[len(data) :]))
        guard = Guard()
        recoverer = Recoverer(
            spool=Spool(directory / "spool", 1 << 30, 10),
            rulebook=ASSEMBLY.rulebook,
            guard=guard,
            window_seconds=60,
            joined=lambda incident_id: (),
        )
        with contextlib.suppress(NotARing):
            recoverer.recover(path, None)
        assert guard.errors() == (), guard.errors()

    return Target(read, bytes(seed[: 2 * HEADER_BYTES]))


def _limits(directory: Path) -> Target:
    directory.mkdir(mode=0o700)
    sketch = LatencySketch()
    for number in range(200):
        sketch.add(number * 1_000_000, 1e9 + number)
    write_knowledge(directory, "shop", {"GET /": sketch}, 1e9)
    path = directory / FILE_NAME

    def read(data: bytes) -> None:
        path.write_bytes(data)
        for known in read_knowledge(directory).values():
            limits = LearnedLimits(SYSTEM_CLOCK)
            limits.take_over(known.roots)
            for name in known.roots:
                limits.limit_ns(name)
        write_knowledge(directory, "shop", {"GET /": sketch}, 1e9)

    return Target(read, path.read_bytes())


def _gate(directory: Path) -> Target:
    directory.mkdir(mode=0o700)
    file = SharedFile(directory / "shop.gate")
    firing = death_firing("GET /", 1)

    def read(data: bytes) -> None:
        with file.held(1.0) as held:
            assert held is not None
            held.write(data)
        gate = Gate(Settings(), SYSTEM_CLOCK, new_incident_id)
        gate.share(file, Member("a.ring"))
        gate.admits(firing)
        verdict = gate.decide(firing, 1.0)
        if verdict is not None and verdict.incident_id:
            gate.closed(verdict.incident_id)

    state = GateState.new(Settings(), 0)
    state.note(Member("b.ring", 1, 2))
    return Target(read, state.encoded())
