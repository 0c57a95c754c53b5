"""Whether the process may have the memory that recording takes, by the limits set for it alone.

Such a limit is met by whoever asks next: if the recorder took the last of it, the program would die
of its own next object.
"""

from __future__ import annotations

import resource
from typing import Final

from otel_flight.sources.kernel.files import read_text
from otel_flight.words import size

_NEEDED_BYTES: Final = 64 * 1024 * 1024
"""Recording begins only where the process may have so many bytes more: what it imports, a window of
the usual size, a thread's stack, and what writing an incident takes for a moment."""
_LIMITS: Final = ((resource.RLIMIT_AS, "RLIMIT_AS", 0), (resource.RLIMIT_DATA, "RLIMIT_DATA", 5))
"""Each limit on memory that the kernel keeps, its name, and the column of what counts to it."""


def check_memory() -> None:
    """Find out whether recording has room; costs two system calls where there is no limit.

    Raises:
        MemoryError: it has not.
    """
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
