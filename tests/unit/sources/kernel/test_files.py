"""Small files of the kernel, which may be missing, forbidden or odd."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.sources.kernel.files import number_in, read_number, read_numbers, read_text


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Also one that is longer than what is read at a time."""
    file = tmp_path / "mountinfo"
    file.write_text("line of a hundred bytes\n" * 10_000)

    assert read_text(str(file)) == file.read_text()


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/", "", "nul\0byte"])
def test_what_cannot_be_read_is_empty(path: str) -> None:
    """A missing file, a directory, no file's name at all: nothing raises."""
    assert read_text(path) == ""
    assert read_number(path) is None
    assert read_numbers(path) == {}


@pytest.mark.parametrize(
    ("text", "number"),
    [("7\n", 7), (" 12 ", 12), ("-1", -1), ("max", None), ("", None), ("1.5", None)],
)
def test_a_number_or_none(text: str, number: int | None) -> None:
    """Whole numbers are numbers; `max` and anything else is none."""
    assert number_in(text) == number


def test_numbers_by_name(tmp_path: Path) -> None:
    """Lines of a name and a number; others do not count."""
    file = tmp_path / "cpu.stat"
    file.write_text("nr_periods 5\nthrottled_usec 77\n\nsome avg10=0.00 total=3\nodd\n")

    assert read_numbers(str(file)) == {"nr_periods": 5, "throttled_usec": 77}
