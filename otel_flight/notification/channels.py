"""The ways out of the process: a command, an HTTP server. The worker's thread."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import signal
from collections.abc import Mapping
from typing import Final

from otel_flight.ground.deadline import Deadline
from otel_flight.ground.native import posix, sleep
from otel_flight.notification.not_sent import NotSent

COMMAND_PREFIX: Final = "exec:"
_FIRST_OTHER: Final = 3
"""Descriptors from this number on are none of standard input, output and error."""
_BETWEEN_LOOKS_SECONDS: Final = 0.02
_MOST_PIPED_BYTES: Final = 60_000
"""A pipe takes at least so many bytes without a reader."""
_WEBHOOK: Final = "otel_flight.notification.webhook"


def preload(target: str) -> None:
    """Import what a target needs: during an incident that would slow down requests."""
    if not target.startswith(COMMAND_PREFIX):
        importlib.import_module(_WEBHOOK)


def send(target: str, body: bytes, variables: Mapping[str, str], deadline: Deadline) -> None:
    """Give a notification to a command or a server. Blocks until the deadline at most.

    Args:
        target: `exec:` and a command, or a URL.
        body: JSON: standard input of the command, or the request's body.
        variables: of the command's environment, besides those of this process.
        deadline: when a command is killed, or a request given up.

    Raises:
        NotSent: it was not taken.
    """
    if target.startswith(COMMAND_PREFIX):
        _run(shlex.split(target[len(COMMAND_PREFIX) :]), body, variables, deadline)
    else:
        importlib.import_module(_WEBHOOK).post(target, body, deadline)


def _run(words: list[str], body: bytes, variables: Mapping[str, str], deadline: Deadline) -> None:
    """Run a command without a shell.

    Not by `subprocess`: the child would inherit the signals that our thread blocks. What of the
    application's descriptors can be inherited is closed in it.
    """
    reading, writing = posix.pipe()
    try:
        posix.write(writing, body[:_MOST_PIPED_BYTES])
        actions = [
            (os.POSIX_SPAWN_DUP2, reading, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            *((os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()),
        ]
        pid = os.posix_spawnp(
            words[0],
            words,
            {**os.environ, **variables},
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE,),
        )
    except OSError as error:
        raise NotSent(f"it cannot be run: {error.strerror}") from error
    finally:
        posix.close(reading)
        posix.close(writing)
    code = _wait(pid, deadline)
    if code:
        raise NotSent(f"it ended with {code}" if code > 0 else f"signal {-code} ended it")


def _wait(pid: int, deadline: Deadline) -> int:
    """Return the exit code of a child, negative for a signal; 0 where somebody else took it."""
    try:
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            if deadline.seconds_left <= 0:
                break
            sleep(_BETWEEN_LOOKS_SECONDS)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except ChildProcessError:  # the application waits for any child
        return 0
    raise NotSent("it took too long, and was killed")


def _inheritable() -> list[int]:
    with contextlib.suppress(OSError):
        numbers = [int(name) for name in posix.listdir("/proc/self/fd")]
        return [each for each in numbers if each >= _FIRST_OTHER and _is_inheritable(each)]
    return []


def _is_inheritable(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # it was the one of the listing
        return False
