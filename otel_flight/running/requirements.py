"""What recording needs of the process, and is not to be tried without.

A limit on memory is met by whoever asks next: if the recorder took the last of it, the program
would die of its own next object. An interpreter with a GIL of its own takes no extension that is
not made for that, as msgspec is not; CPython 3.12 and 3.13.0 die when more is tried. Before 3.12 no
interpreter that has threads can be destroyed by the program that made it; one that a server has
made ends our threads first.
"""

from __future__ import annotations

import resource
import sys
from importlib import import_module
from typing import Final

from otel_flight.ground.interpreters import INTERPRETERS
from otel_flight.sources.kernel.files import read_text
from otel_flight.words import size

_NEEDED_BYTES: Final = 64 * 1024 * 1024
"""Recording begins only where the process may have so many bytes more: what it imports, a window of
the usual size, a thread's stack, and what writing an incident takes for a moment."""
EMBEDDING: Final = frozenset({"mod_wsgi", "uwsgi"})
"""Servers that have Python inside, and their own interpreters in it, are known by these modules."""
_LIMITS: Final = ((resource.RLIMIT_AS, "RLIMIT_AS", 0), (resource.RLIMIT_DATA, "RLIMIT_DATA", 5))
"""Each limit on memory that the kernel keeps, its name, and the column of what counts to it."""


def check_requirements() -> None:
    """Find out whether recording is possible; costs two system calls where there is no limit.

    Raises:
        MemoryError: there is no room.
        RuntimeError: this is an interpreter with a GIL of its own, or that no threads may be in.
    """
    _check_interpreter()
    for limit, name, column in _LIMITS:
        most_bytes = resource.getrlimit(limit)[0]
        if most_bytes == resource.RLIM_INFINITY:
            continue
        pages = read_text("/proc/self/statm").split()
        used_bytes = int(pages[column]) * resource.getpagesize() if len(pages) > column else 0
        left_bytes = max(0, most_bytes - used_bytes)
        if left_bytes < _NEEDED_BYTES:
            raise MemoryError(
                f"its {name} leaves {size(left_bytes)}, and recording takes {size(_NEEDED_BYTES)}"
            )


def _check_interpreter() -> None:
    is_old, is_new = sys.version_info < (3, 12), sys.version_info >= (3, 13)
    if INTERPRETERS is None:
        return
    current = INTERPRETERS.get_current()
    if current == INTERPRETERS.get_main():
        return
    if is_old:
        if EMBEDDING.isdisjoint(sys.modules):
            raise RuntimeError("before CPython 3.12 no interpreter with threads can be destroyed")
        return
    if is_new:
        is_refused = INTERPRETERS.get_config(current[0]).check_multi_interp_extensions
    else:
        try:
            is_refused = import_module("msgspec") is None
        except ImportError:
            is_refused = True
    if is_refused:
        raise RuntimeError("this interpreter takes no C extensions such as msgspec")
