"""The recorder's own frames in the stacks of the application's threads.

Its callbacks, hooks and span processors run there, wherever a collection starts or a span ends:
that is no part of what the application was doing, and nobody's fault but ours.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from otel_flight.interpreter.code.places import Place
from otel_flight.records.records import Frame

_PACKAGE: Final = str(Path(__file__).parent.parent) + os.sep
_COMMANDS: Final = f"{_PACKAGE}cli{os.sep}"
"""The commands never run in an application's thread, and the demo's service is an application."""


@functools.lru_cache(4096)
def is_ours(file: str) -> bool:
    """Return whether a file of this process is part of the recorder."""
    return file.startswith(_PACKAGE) and not file.startswith(_COMMANDS)


def without_ours(places: Sequence[Place]) -> list[Place]:
    """Return a stack without the recorder's own places, in its order."""
    return [place for place in places if not is_ours(_file(place))]


def _file(place: Place) -> str:
    where = place[0]
    if isinstance(where, Frame):
        return where.file
    return where if isinstance(where, str) else where.co_filename
