"""What faulthandler writes is read, on every CPython, and whatever became of it."""

from __future__ import annotations

import faulthandler
import threading
from pathlib import Path

from otel_flight.interpreter.written_stacks import parse_stacks
from otel_flight.records.records import Frame

CRASH = """\
Fatal Python error: Segmentation fault

Thread 0x00007f04dbfff6c0 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait

Current thread 0x00007f04e3c4fb80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/srv/shop/app.py", line 11 in total
  File "/srv/shop/app.py", line 17 in <module>

Extension modules: msgspec._core, otel_flight.interpreter._frames (total: 2)
"""

NEWER = """\
Fatal Python error: Aborted

Current thread 0x00007fbd165ba200 [python] (most recent call first):
  Garbage-collecting
  File "/srv/shop/app.py", line 11 in total
  ...

Current thread's C stack trace (most recent call first):
  Binary file "/lib/x86_64-linux-gnu/libc.so.6", at abort+0x12 [0x7f04dbfff6c0]
  Binary file "python3.14", at _Py_DumpStack+0x37 [0x4a5300]
  <truncated rest of calls>
"""

HANG = """\
Thread 0x00007f5acb3c96c0 [a "name" (most)] (most recent call first):
  File "/srv/shop/app.py", line 12 in <lambda>

Thread 0x00007f5acc251b80 (most recent call first):
  File ???, line ??? in ???
  <no Python frame>

"""


def test_a_crash_says_what_and_where() -> None:
    """Outermost frame first; the thread that crashed is known."""
    (report,) = parse_stacks(CRASH)

    assert report.error == "Segmentation fault"
    assert [thread.thread_id for thread in report.threads] == [0x7F04DBFFF6C0, 0x7F04E3C4FB80]
    assert report.current is not None
    assert report.current.stack == (
        Frame("<module>", "/srv/shop/app.py", 17),
        Frame("total", "/srv/shop/app.py", 11),
        Frame("string_at", "/usr/lib/python3.11/ctypes/__init__.py", 519),
    )


def test_newer_pythons_name_threads_and_write_the_stack_of_c() -> None:
    """Which are no frames of Python."""
    (report,) = parse_stacks(NEWER)

    assert report.error == "Aborted"
    assert report.current is not None
    assert report.current.stack == (Frame("total", "/srv/shop/app.py", 11),)


def test_a_hang_has_no_headline_and_no_current_thread() -> None:
    """Nobody knows which thread holds the GIL."""
    (report,) = parse_stacks(HANG)

    assert report.error == ""
    assert report.current is None
    assert [thread.stack for thread in report.threads] == [
        (Frame("<lambda>", "/srv/shop/app.py", 12),),
        (Frame("???", "", 0),),
    ]


def test_several_reports_follow_each_other() -> None:
    """A hang, another one of the same threads, a crash."""
    reports = parse_stacks(HANG + HANG + CRASH)

    assert [(report.error, len(report.threads)) for report in reports] == [
        ("", 2),
        ("", 2),
        ("Segmentation fault", 2),
    ]


def test_a_text_may_end_anywhere() -> None:
    """A process can die over writing it."""
    for end in range(len(CRASH)):
        reports = parse_stacks(CRASH[:end])
        assert len(reports) <= 1
        for report in reports:
            assert "Segmentation fault".startswith(report.error)


def test_what_this_python_writes_is_read(tmp_path: Path) -> None:
    """By the interpreter that runs the tests, with the ids of its threads."""
    with (tmp_path / "stacks").open("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        (report,) = parse_stacks(file.read())

    current = report.current
    assert current is not None
    assert current.thread_id == threading.get_ident()
    assert current.stack[-1].function == "test_what_this_python_writes_is_read"
    assert current.stack[-1].file == __file__
