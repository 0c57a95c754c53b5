"""What a program sees of its own process: all of this is its own, and nobody else's to change."""

from __future__ import annotations

import gc
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def process_facts() -> dict[str, Any]:
    """Return what a request sees while nothing else is done."""
    return {
        "threads": sorted({re.sub(r"\d+", "", each.name) for each in threading.enumerate()}),
        "blocked signals": sorted(map(str, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "collections after": gc.get_threshold(),
        "are collected": gc.isenabled(),
        "traced": repr(sys.gettrace()),
        "profiled": repr(sys.getprofile()),
        "displays": sys.displayhook.__module__,
        "folder": str(Path.cwd()),
    }
