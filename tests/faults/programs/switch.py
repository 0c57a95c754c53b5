"""Whether a program has its fault, and what a script does when its work is over."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

IS_FAULTY: Final = os.environ.get("FAULT") != "off"


def say(word: str) -> None:
    """Tell who started the program how far it is: `ready`, `done`."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def stay() -> None:
    """Say that the work is over, and wait to be ended, so that there is time for an incident."""
    say("done")
    signal.pause()
