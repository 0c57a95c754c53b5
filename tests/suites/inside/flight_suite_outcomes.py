"""Writes each test's begin and outcome to a file at once: a killed run says where it was."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any

_PATH = os.environ["FLIGHT_SUITE_OUTCOMES"]
_SKIPPED = os.environ.get("FLIGHT_SUITE_SKIP", "")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_MOST_TEXT = 4000
_FOLDER = os.path.realpath(".")
_process = os.getpid()
_started: dict[str, float] = {}


def steady(test_id: str) -> str:
    """Return a test's id without what differs from run to run: addresses, and the folder."""
    return _ADDRESS.sub("0x…", test_id.replace(_FOLDER, "…"))


def began(test_id: str) -> None:
    """Note that a test runs now."""
    _started[test_id] = time.perf_counter()
    _write({"begin": steady(test_id)})


def ended(test_id: str, outcome: str, text: str = "") -> None:
    """Note what became of a test: passed, skipped, failed, error, or altered."""
    seconds = time.perf_counter() - _started.pop(test_id, time.perf_counter())
    _write(
        {
            "end": steady(test_id),
            "outcome": outcome,
            "seconds": round(seconds, 3),
            "text": text[-_MOST_TEXT:],
        }
    )


def is_left_out(test_id: str) -> bool:
    """Return whether a run before this one did a test, or its id begins like one to skip."""
    name = steady(test_id)
    return name in _DONE or name.startswith(_BEGINS)


def _write(line: dict[str, Any]) -> None:
    # A forked child that comes back to the runner speaks for itself only. The file is opened each
    # time: tests close descriptors, and count them.
    if os.getpid() == _process:
        with open(_PATH, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(line) + "\n")


def _read_left_out() -> dict[str, list[str]]:
    if not _SKIPPED:
        return {"begins": [], "done": []}
    with open(_SKIPPED, encoding="utf-8") as file:
        left_out: dict[str, list[str]] = json.load(file)
        return left_out


_LEFT_OUT = _read_left_out()
_BEGINS = tuple(_LEFT_OUT["begins"])
_DONE = frozenset(_LEFT_OUT["done"])
