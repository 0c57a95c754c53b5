"""Traces of two systems of microservices in which others planted faults, and published them.

They are those of Nezha (Yu and others, FSE 2023; MIT licence), to be cloned by who wants them:
https://github.com/IntelligentDDS/Nezha. Of each fault the minute in which it began was recorded,
and the two after it; so more than half of the time there is something wrong.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from benchmarks.latency.requests import Request, Window

_SYSTEMS: Final = {
    "Online Boutique": ("2022-08-22", "2022-08-23"),
    "Train Ticket": ("2023-01-29", "2023-01-30"),
}
_FAULT_SECONDS: Final = 240.0
"""A fault is over after so many seconds, and with it what was recorded."""
_POD: Final = re.compile(r"-[0-9a-f]+-\w+$")


def published(folder: Path) -> Iterator[tuple[str, list[Request], list[Window]]]:
    """Yield each day's title, its local roots, and when there were faults, by time.

    Args:
        folder: a clone of the repository.
    """
    for system, days in _SYSTEMS.items():
        for day in days:
            recorded = folder / "rca_data" / day
            starts = sorted(_faults(recorded / f"{day}-fault_list.json"))
            roots = [
                root for file in sorted(recorded.glob("trace/*.csv")) for root in _local_roots(file)
            ]
            windows = [Window(start, start + _FAULT_SECONDS) for start in starts]
            yield f"{system}, {day}", roots, windows


def _faults(file: Path) -> Iterator[float]:
    for hour in json.loads(file.read_text()).values():
        for fault in hour:
            began = datetime.fromisoformat(fault["inject_time"])
            yield began.replace(tzinfo=timezone.utc).timestamp()


def _local_roots(file: Path) -> Iterator[Request]:
    """Yield the spans whose parent is of another process."""
    with file.open(newline="") as lines:
        spans = {(each["TraceID"], each["SpanID"]): each for each in csv.DictReader(lines)}
    for span in spans.values():
        parent = spans.get((span["TraceID"], span["ParentID"]))
        is_known = parent is not None or span["ParentID"] == "root"
        if is_known and (parent is None or parent["PodName"] != span["PodName"]):
            yield Request(
                at=int(span["EndTimeUnixNano"]) / 1e9,
                seconds=int(span["Duration"]) / 1e6,
                name=f"{_POD.sub('', span['PodName'])} {span['OperationName']}",
            )
