"""Fork without telling Python, as uWSGI does, and look at the threads of the child.

    python silent_fork.py compiled|pure

The threads of the parent are not in the child, but Python goes on listing them; their stacks, which
are memory of the system's threads, are given to the child's own threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from otel_flight.interpreter import frames, frames_in_python

READERS: Final[dict[str, Any]] = {"compiled": frames._reader, "pure": frames_in_python}
ROUNDS: Final = 200


def run_at_depth(depth: int, function: Callable[[], object]) -> None:
    """Call a function so deep within others that much of the stack is used."""
    if depth:
        # Through C, so that the interpreter uses the system's stack as well.
        list(map(run_at_depth, [depth - 1], [function]))
    else:
        function()


def start(count: int, depth: int) -> tuple[set[int], threading.Event]:
    """Start threads that wait; return their ids, and what ends them."""
    event, waiting = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        waiting.release()
        event.wait()

    threads = [
        threading.Thread(target=run_at_depth, args=(depth, wait), daemon=True) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        waiting.acquire()
    return {thread.ident or 0 for thread in threads}, event


def look(reader: Any) -> None:
    """See the threads of the child, and no others, again and again."""
    for depth in range(ROUNDS):
        known, event = start(4, depth % 20)
        seen = reader.stacks(frames.MOST_FRAMES)
        if reader.can_look():
            assert known <= seen.keys(), (known, seen.keys())
            names = [{frame.code.co_name for frame in seen[each]} for each in known]
            assert all("run_at_depth" in each for each in names), names
        else:
            assert not seen, seen
        event.set()
    print("can look" if reader.can_look() else "cannot look", flush=True)


def main(name: str) -> None:
    """Fork while threads are deep in calls."""
    # A thread gives up the GIL where it waits, and nowhere else: none waits for the GIL when it
    # forks, for the child would have to do without whatever the system knows of that.
    sys.setswitchinterval(1000)
    start(8, 30)
    child = ctypes.PyDLL(None).fork()  # with the GIL, as a server does that has Python inside
    if child == 0:
        look(READERS[name])
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("exited", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
