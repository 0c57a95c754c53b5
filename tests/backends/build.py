"""Builds the backends from their pinned Go modules, and says how far it is.

Neither `go install` nor the projects' own makefiles will do: both replace modules, which
`go install` refuses, and the latter need tools besides Go. A small module of ours names the program
as its tool, with the same replacements and a complete go.sum.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.backends.sources import BUILD_FLAGS, Backend

_SECONDS_BETWEEN_LINES: Final = 15.0
_SHOWN_OUTPUT_LINES: Final = 40

Report = Callable[[str], None]


class BuildFailedError(RuntimeError):
    """A backend could not be built; the text says why and what to do."""


def build(backend: Backend, report: Report) -> bool:
    """Build a backend unless it is built already; return whether anything was done.

    Args:
        backend: what to build.
        report: is told the progress, a line at a time.

    Raises:
        BuildFailedError: Go is missing, or refuses.
    """
    backend.program.parent.mkdir(parents=True, exist_ok=True)
    with _lock(backend.program.parent / ".lock", report):
        if backend.is_built():
            report(f"{backend.name}: {backend.title} is built already")
            return False
        started = time.monotonic()
        _build(backend, report)
        seconds = time.monotonic() - started
        size_mib = backend.program.stat().st_size / (1 << 20)
        report(f"{backend.name}: done after {seconds:.0f} s, {size_mib:.0f} MiB")
        return True


def _build(backend: Backend, report: Report) -> None:
    go = shutil.which("go")
    if go is None:
        message = (
            "Go is not installed, and the backends are built with it: install Go 1.25 or newer "
            "(https://go.dev/doc/install), see that `go` is on the PATH, and run this again"
        )
        raise BuildFailedError(message)
    report(f"{backend.name}: fetching the modules of {backend.title}")
    list_packages = [go, "list", "-mod=readonly", "-deps", backend.package]
    packages = _run(
        list_packages, backend, report, lambda lines: f"{_downloads(lines)} modules fetched"
    )
    total = len([line for line in packages if not line.startswith("go: ")])
    report(f"{backend.name}: compiling up to {total} packages, minutes when it is the first time")
    unfinished = backend.program.with_suffix(".unfinished")
    compile_program = [go, "build", "-v", *BUILD_FLAGS, "-o", str(unfinished), backend.package]
    _run(
        compile_program, backend, report, lambda lines: f"{len(lines)} of {total} packages compiled"
    )
    # In this order, so that a stamp never stands beside an older program.
    backend.stamp.unlink(missing_ok=True)
    unfinished.replace(backend.program)
    backend.stamp.write_text(backend.fingerprint() + "\n", encoding="ascii")


def _downloads(lines: Sequence[str]) -> int:
    return sum(line.startswith("go: downloading ") for line in lines)


def _run(
    command: Sequence[str],
    backend: Backend,
    report: Report,
    progress: Callable[[Sequence[str]], str],
) -> list[str]:
    """Run a Go command to its end, reporting now and then, and return what it printed."""
    lines: list[str] = []
    started = reported = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=backend.module_folder,
        # Without C: no compiler needed, and a program that runs wherever it is copied.
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            now = time.monotonic()
            if now - reported >= _SECONDS_BETWEEN_LINES:
                reported = now
                report(f"{backend.name}: {progress(lines)}, {now - started:.0f} s")
    if process.returncode != 0:
        tail = "\n".join(lines[-_SHOWN_OUTPUT_LINES:])
        message = f"{backend.name}: `go {command[1]}` failed, its last lines were:\n{tail}"
        raise BuildFailedError(message)
    return lines


@contextmanager
def _lock(path: Path, report: Report) -> Iterator[None]:
    """Let one build run at a time: two of them take longer together, and much more memory."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another build into {path.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
