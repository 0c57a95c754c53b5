"""What a thread stands still in: told of real threads, and of files as the kernel writes them."""

from __future__ import annotations

import fcntl
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_flight.names import wait_kinds
from otel_flight.sources.kernel.system_calls import Blocked, blocked_in
from tests.support.rigs.kernel_tree import KernelTree
from tests.support.rigs.served_requests import DEADLINE_SECONDS

_IS_TOLD = Path("/proc/self/syscall").exists() and platform.machine() in ("x86_64", "aarch64")
pytestmark = pytest.mark.skipif(not _IS_TOLD, reason="this kernel does not tell")


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    """A process file system of the test's own."""
    return KernelTree(tmp_path)


def told_of(wait: Callable[[], object], end: Callable[[], object], kind: str) -> Blocked:
    """Return what is told of a thread that waits, once it is of a kind."""
    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    try:
        while True:
            blocked = blocked_in(thread.native_id or 0, "")
            if blocked is not None and blocked.kind == kind:
                return blocked
            assert time.monotonic() < deadline, blocked
            pause.wait(0.002)
    finally:
        end()
        thread.join(DEADLINE_SECONDS)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe's two ends."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_pipe_that_nobody_writes_to(pipe: tuple[int, int]) -> None:
    """A read of it."""
    blocked = told_of(lambda: os.read(pipe[0], 1), lambda: os.write(pipe[1], b"x"), wait_kinds.PIPE)

    assert blocked == Blocked(wait_kinds.PIPE, "read")


def test_a_file_that_cannot_be_opened_yet(tmp_path: Path) -> None:
    """A named pipe is there when somebody opens its other end."""
    path = tmp_path / "settings"
    os.mkfifo(path)

    blocked = told_of(path.read_bytes, lambda: path.write_bytes(b"x"), wait_kinds.FILE)

    assert blocked == Blocked(wait_kinds.FILE, "")


def test_a_file_lock_of_another_process(tmp_path: Path) -> None:
    """The file and the process that has it are named."""
    path = tmp_path / "lock"
    path.touch()
    program = (
        "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('has it', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]

    def take() -> None:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        blocked = told_of(take, other.stdin.close, wait_kinds.FILE_LOCK)

    assert blocked.text.startswith(f"{path}, held by process {other.pid} (")


def test_a_thread_that_runs_is_in_no_call(tree: KernelTree) -> None:
    """As is one in a call that no table has: it may wait for the GIL."""
    for text in ("running\n", "-1 0x0 0x0\n", "99999 0x1 0x2\n", ""):
        tree.write("proc/self/task/7/syscall", text)

        assert blocked_in(7, "", str(tree.proc)) is None


def test_a_process_that_may_not_look_at_itself_is_told_nothing(tree: KernelTree) -> None:
    """The kernel's file is not there, or not to be read."""
    assert blocked_in(8, "", str(tree.proc)) is None


def of_sleep(tree: KernelTree) -> str:
    """Make thread 7 sleep."""
    number = {"x86_64": 230, "aarch64": 115}[platform.machine()]
    tree.write("proc/self/task/7/syscall", f"{number} 0x0 0x0 0x7ffe 0x0 0x0 0x0 0x7ff 0x7fe\n")
    return str(tree.proc)


def test_a_database_within_the_process_sleeps_while_it_is_locked(tree: KernelTree) -> None:
    """SQLite sleeps between its attempts; whatever else sleeps, sleeps."""
    proc = of_sleep(tree)

    assert blocked_in(7, "cursor.execute", proc) == Blocked(wait_kinds.DATABASE_LOCK, "")
    assert blocked_in(7, "library.turn", proc) == Blocked(wait_kinds.SLEEP, "")
