"""Whatever is in a file of stacks, reading it neither fails nor takes more than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_flight.interpreter.written_stacks import parse_stacks
from otel_flight.records.records import Frame

LINES = st.sampled_from(
    [
        "Fatal Python error: Segmentation fault",
        "Thread 0x00007f04dbfff6c0 (most recent call first):",
        "Current thread 0x00007f04dbfff6c1 [worker] (most recent call first):",
        '  File "a.py", line 3 in f',
        '  File "a", line 1 in "b", line 2 in g',
        "  File ???, line ??? in ???",
        "  ...",
        "Thread 0x (most recent call first):",
        '  File "' + "x" * 9000,
        "",
    ]
)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Without an exception."""
    assert len(parse_stacks(text)) <= 8


@given(st.lists(LINES | st.text(max_size=20), max_size=600).map("\n".join))
def test_any_lines_are_read_within_bounds(text: str) -> None:
    """Of reports, threads and frames there are only so many, each of bounded length."""
    reports = parse_stacks(text)

    assert len(reports) <= 8
    for report in reports:
        assert len(report.threads) <= 256
        for thread in report.threads:
            assert len(thread.frames) <= 256
            for frame in thread.frames:
                assert max(len(frame.function), len(frame.file)) <= 1024


NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), max_size=50
)


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 999_999_999)), max_size=100))
def test_what_is_written_is_what_is_read(places: list[tuple[str, str, int]]) -> None:
    """A stack comes back as it was, outermost frame first."""
    lines = [f'  File "{file}", line {line} in {function}' for function, file, line in places]
    text = "\n".join(["Thread 0x00000000000000ff (most recent call first):", *lines, ""])

    (report,) = parse_stacks(text)

    assert report.threads[0].thread_id == 255
    assert report.threads[0].stack == tuple(Frame(*place) for place in reversed(places))
