"""Paragraphs and tables for a terminal, without blanks at the line ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from otel_flight.words import in_ascii

WIDEST: Final = 140
"""Lines and bars over a very wide terminal are no easier to read."""


_NARROW: Final = 110
_NARROWEST: Final = 8
"""A column of a table keeps at least this many characters, if it has them."""


class Page:
    """Print one thing under another.

    Attributes:
        width: columns there are to fill.
        is_narrow: whether there is no room for what is only nice to have.
        is_ascii: whether the terminal's encoding lacks line-drawing characters.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = min(console.width, WIDEST)
        self.is_narrow = console.is_terminal and console.width < _NARROW
        self.is_ascii = not console.encoding.lower().startswith("utf")

    def plain(self, text: str) -> str:
        """Return a text with characters of ours only that the terminal's encoding has."""
        return in_ascii(text) if self.is_ascii else text

    def section(self, title: str) -> None:
        """Begin a section."""
        self._console.print()
        rule = Rule(Text(title, style="bold"), align="left", style="dim")
        self._console.print(rule, width=self.width)

    def line(self, text: Text | str = "") -> None:
        """Print a line that is laid out already: never wrapped, cut at the width."""
        text = Text(text) if isinstance(text, str) else text
        text.rstrip()
        self._console.print(text, width=self.width, no_wrap=True, highlight=False, overflow="crop")

    def verbatim(self, text: Text | str) -> None:
        """Print a line that is to be copied: neither wrapped nor cut."""
        self._console.print(text, soft_wrap=True, highlight=False)

    def paragraph(self, text: Text | str, lead: Text | str = "") -> None:
        """Print a text, wrapped; further lines are indented by the width of `lead`."""
        text = Text(text) if isinstance(text, str) else text
        lead = Text(lead) if isinstance(lead, str) else lead
        room = max(20, self.width - lead.cell_len)
        for wrapped in text.wrap(self._console, room) or [Text()]:
            self.line(Text.assemble(lead, wrapped))
            lead = Text(" " * lead.cell_len)

    def facts(self, facts: Sequence[tuple[str, Text | str | Path]]) -> None:
        """Print names with values, the values in one column; paths are never wrapped."""
        column = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            lead = Text(f"{name:<{column}}  ", style="dim")
            if isinstance(value, Path):
                self.verbatim(Text.assemble(lead, str(value)))
            else:
                self.paragraph(value, lead)

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[Text | str]], flexible: int
    ) -> None:
        """Print rows in columns.

        On a terminal, columns give way when they are too wide together: the column `flexible` down
        to a third of it, then whichever but the first is the widest; in a pipe nothing is cut.
        """
        texts = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        widths = [
            max(cell_len(title), *(row[column].cell_len for row in texts), 0)
            for column, title in enumerate(header)
        ]
        if self._console.is_terminal:
            self._narrow(widths, flexible)
        for row in [[Text(title, style="dim") for title in header], *texts]:
            cells = [_fit(cell, width) for cell, width in zip(row, widths, strict=True)]
            line = Text("  ").join(cells)
            line.rstrip()
            self._console.print(line, soft_wrap=True, highlight=False)

    def _narrow(self, widths: list[int], flexible: int) -> None:
        room = self._console.width - 2 * (len(widths) - 1)
        least = max(_NARROWEST, self._console.width // 3)
        widths[flexible] -= max(0, min(sum(widths) - room, widths[flexible] - least))
        while sum(widths) > room and max(widths[1:], default=0) > _NARROWEST:
            widths[widths.index(max(widths[1:]), 1)] -= 1


def _fit(cell: Text, width: int) -> Text:
    cell = cell.copy()
    if cell.cell_len > width:
        cell.truncate(width, overflow="ellipsis")
    cell.append(" " * (width - cell.cell_len))
    return cell


def with_names(sentence: str) -> Text:
    """Return a sentence whose names, between backticks, stand out."""
    text = Text()
    for index, piece in enumerate(sentence.split("`")):
        is_name = index % 2 == 1
        text.append(f"`{piece}`" if is_name else piece, style="cyan" if is_name else "")
    return text
