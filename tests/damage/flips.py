"""One byte or bit of a real file is changed, then everything reads it that ever would."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from otel_flight.ring.layout import HEADER_BYTES
from tests.support.damaged.damage import ODD_BYTES, damaged_member
from tests.support.damaged.damaged_files import DamagedFiles


@dataclass
class Tally:
    """What became of the files that were damaged in one way.

    Attributes:
        read: files that were read, as the damage is in nothing that matters.
        refused: files of which a reader of ours said what is wrong.
        foreign: where other exceptions came from, and how often.
        longest_seconds: the reading of one file took at most so long.
    """

    read: int = 0
    refused: int = 0
    foreign: Counter[str] = field(default_factory=Counter)
    longest_seconds: float = 0.0

    def note(self, is_readable: Callable[[], bool]) -> None:
        """Read a file and note what came of it."""
        start = time.perf_counter()
        try:
            if is_readable():
                self.read += 1
            else:
                self.refused += 1
        except Exception as error:  # noqa: BLE001  (that is what is counted)
            self.foreign[_site(error)] += 1
        self.longest_seconds = max(self.longest_seconds, time.perf_counter() - start)


def flip(data: bytes, source: random.Random, within: int = 0) -> bytes:
    """Return bytes of which one bit is flipped, or one place holds something odd.

    Args:
        data: the whole bytes.
        source: decides where and what.
        within: that is in the first so many of them; 0: anywhere.
    """
    at = source.randrange(within or len(data))
    if source.random() < 0.7:
        return data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :]
    odd = source.choice(ODD_BYTES)
    return data[:at] + odd + data[at + len(odd) :]


def run_flips(
    directory: Path, flips: int, seed: int, say: Callable[[str], None]
) -> dict[str, Tally]:
    """Damage so many files, a share of them in each way; return what became of them.

    Args:
        directory: where the files are.
        flips: how many.
        seed: of the numbers by which places are chosen.
        say: is told about each way when it is through.
    """
    source = random.Random(seed)
    files = DamagedFiles(directory)
    whole = files.flight

    def is_flight_with_member() -> bool:
        number = source.randrange(1 << 16)
        return files.is_flight(damaged_member(whole, number, lambda data: flip(data, source)))

    ways: dict[str, tuple[float, Callable[[], bool]]] = {
        "a .flight file": (0.64, lambda: files.is_flight(flip(whole, source))),
        "what is in a .flight file": (0.06, is_flight_with_member),
        "a .state file": (0.1, lambda: files.is_state(flip(files.state, source))),
        "the header of a ring": (
            0.1,
            lambda: files.is_ring(flip(files.ring, source, HEADER_BYTES)),
        ),
        "a ring": (0.1, lambda: files.is_ring(flip(files.ring, source))),
    }
    tallies = {}
    for way, (share, is_readable) in ways.items():
        tallies[way] = tally = Tally()
        for _ in range(round(flips * share)):
            tally.note(is_readable)
        say(
            f"{way}: {tally.read} read, {tally.refused} refused, "
            f"{tally.foreign.total()} foreign exceptions, {tally.longest_seconds:.2f} s at most"
        )
    return tallies


def _site(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
