"""Tables on terminals that are too narrow for them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from otel_flight.report.terminal.page import Page

ROW = ("20260101-100000-3f9a1c", "slow local root GET /a/rather/long/path", "s" * 40, "12345")


def table(width: int, *, is_terminal: bool = True) -> list[str]:
    """Return the lines of a table with one row, on a terminal of that width."""
    output = io.StringIO()
    console = Console(file=output, width=width, force_terminal=is_terminal, color_system=None)
    Page(console).table(("id", "what", "service", "spans"), [ROW], flexible=1)
    return output.getvalue().splitlines()


@pytest.mark.parametrize("width", [56, 80, 100])
def test_all_columns_stay_in_sight(width: int) -> None:
    """The widest give way, the first one never does: it is what a command is given next."""
    header, row = table(width)

    assert max(len(header), len(row)) <= width
    assert row.startswith(ROW[0])
    assert row.endswith(ROW[-1])
    assert all(len(cell) >= 7 for cell in row.split("  ")[1:3])


def test_nothing_is_cut_where_there_is_room_or_in_a_pipe() -> None:
    """A script reads all of it."""
    whole = "  ".join(ROW)

    assert table(200)[1] == table(40, is_terminal=False)[1] == whole
