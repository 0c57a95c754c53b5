"""`make traffic`: a day of each service; 0 when it was quiet and each fault made its incident."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.traffic.day import Day, live
from tests.traffic.described.celery_worker import CELERY
from tests.traffic.described.grpc_aio import GRPC
from tests.traffic.described.web import DJANGO, FASTAPI, FLASK

SERVICES: Final = {each.name: each for each in (FASTAPI, FLASK, DJANGO, GRPC, CELERY)}
_MOST_SURVIVED: Final = 3
"""Of what is survived each hour there may be this many incidents in a day."""


def main(arguments: Sequence[str]) -> int:
    """Live through the days that the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog="make traffic", description=__doc__)
    parser.add_argument("--hours", type=int, default=24, help="of each day (default %(default)s)")
    parser.add_argument("services", nargs="*", default=list(SERVICES), help="which (default: all)")
    asked = parser.parse_args(arguments)
    days: list[Day] = []
    for name in asked.services:
        with tempfile.TemporaryDirectory(prefix="traffic-") as directory:
            days.append(live(SERVICES[name], Path(directory), asked.hours))
        _tell(name, days[-1])
    found = [is_found for day in days for is_found in day.found.values()]
    false = sum(len(day.false) for day in days)
    survived = max((day.survived for day in days), default=0)
    _say(f"{false} incidents in {sum(day.things for day in days)} ordinary things")
    _say(f"{survived} incidents a day, at most, of what was survived each hour")
    _say(f"{sum(found)} of {len(found)} faults found")
    return int(bool(false) or not all(found) or survived > _MOST_SURVIVED)


def _tell(name: str, day: Day) -> None:
    _say(
        f"{name}: {len(day.false)} incidents in {day.things} ordinary things, and {day.survived} "
        f"of what was survived; {sum(day.found.values())} of {len(day.found)} faults found"
    )
    for title in day.false:
        _say(f"  not wanted: {title}")
    for title, is_found in day.found.items():
        if not is_found:
            _say(f"  missed: {title}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
