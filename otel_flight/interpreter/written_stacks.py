"""Read what `faulthandler` writes: the stacks of threads, of a crash or of a process that hung.

The text is what a dying process could still write, so it may end anywhere. CPython 3.10 to 3.15
differ in small things: the thread's name, what is said of collections, stacks of C code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from otel_flight.records.records import Frame

_FATAL: Final = "Fatal Python error: "
_THREAD: Final = re.compile(
    r"(Current thread|Thread) 0x([0-9a-f]{1,16})(?: \[.{0,200}\])? \(most recent call first\):"
)
_FRAME: Final = re.compile(r'  File (?:"(.*)"|\?\?\?), line (\d{1,9}|\?\?\?) in (.*)')
_MOST_REPORTS: Final = 8
_MOST_THREADS: Final = 256
_MOST_FRAMES: Final = 256
_MOST_CHARACTERS: Final = 1024
_LONGEST_LINE: Final = 8192
"""What is beyond these numbers is left out; faulthandler writes 100 threads of 100 frames."""


@dataclass
class WrittenThread:
    """The stack of one thread.

    Attributes:
        thread_id: as `threading.get_ident()` returns it.
        is_current: whether it is the one that crashed.
        frames: the innermost one first, as they are written.
    """

    thread_id: int
    is_current: bool
    frames: list[Frame] = field(default_factory=list)

    @property
    def stack(self) -> tuple[Frame, ...]:
        """Its frames, outermost first."""
        return tuple(reversed(self.frames))


@dataclass
class WrittenReport:
    """The stacks of one moment.

    Attributes:
        error: why they were written: `Segmentation fault`, say; empty: because nothing went on.
        threads: the newest thread first, as they are written.
    """

    error: str = ""
    threads: list[WrittenThread] = field(default_factory=list)

    @property
    def current(self) -> WrittenThread | None:
        """The thread that crashed; None when it was none of Python's, or is not there."""
        return next((each for each in self.threads if each.is_current), None)


def parse_stacks(text: str) -> list[WrittenReport]:
    """Return the reports of a file, oldest first. Never raises; what makes no sense is left out."""
    reports: list[WrittenReport] = []
    for line in text.split("\n"):
        if len(line) > _LONGEST_LINE:
            continue
        if line.startswith(_FATAL):
            reports.append(WrittenReport(line[len(_FATAL) :][:_MOST_CHARACTERS].strip()))
        elif found := _THREAD.fullmatch(line):
            thread = WrittenThread(int(found[2], 16), found[1] == "Current thread")
            if not reports or _is_of_another(reports[-1], thread):
                reports.append(WrittenReport())
            if len(reports[-1].threads) < _MOST_THREADS:
                reports[-1].threads.append(thread)
        elif frame := _FRAME.fullmatch(line):
            _add(reports, frame)
        if len(reports) > _MOST_REPORTS:
            break
    return [each for each in reports if each.error or each.threads][-_MOST_REPORTS:]


def _is_of_another(report: WrittenReport, thread: WrittenThread) -> bool:
    """Return whether a thread begins the next report: one that nobody names has no headline."""
    return any(each.thread_id == thread.thread_id for each in report.threads)


def _add(reports: list[WrittenReport], found: re.Match[str]) -> None:
    if reports and reports[-1].threads:
        frames = reports[-1].threads[-1].frames
        if len(frames) < _MOST_FRAMES:
            line = int(found[2]) if found[2].isdigit() else 0
            file = found[1] or ""
            frames.append(Frame(found[3][:_MOST_CHARACTERS], file[:_MOST_CHARACTERS], line))
