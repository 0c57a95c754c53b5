"""What else happened, for the terminal: a line each, with when, what, and where."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from otel_flight.report.model.happenings import Happening, Happenings
from otel_flight.report.terminal.page import Page
from otel_flight.words import count, one_line, short_duration

_WHEN: Final = 8
_LONGEST_NAME: Final = 24
_LEAST_ROOM: Final = 40
"""Columns beside the names that texts need to be read; else they stand below."""
_LONGEST_SPAN: Final = 60


def print_happenings(happenings: Happenings, page: Page) -> None:
    """Print the section; nothing when nothing else happened."""
    if not happenings.events:
        return
    page.section(f"What else happened: {count(happenings.events, 'event')}")
    width = min(_LONGEST_NAME, max((len(each.name) for each in happenings.told), default=0))
    is_beside = page.width - width >= _WHEN + _LEAST_ROOM
    for each in happenings.told:
        lead, words = _lead(each, width, page), _words(each, page)
        if is_beside:
            page.paragraph(words, lead)
        else:
            page.line(lead)
            page.paragraph(words, " " * (_WHEN + 2))
    if happenings.left_out:
        page.paragraph(Text(f"{page.plain('…')} {happenings.left_out} more", style="dim"))


def _lead(happening: Happening, width: int, page: Page) -> Text:
    name = page.plain(one_line(happening.name, width))
    style = "bold" if happening.is_own else ""
    return Text.assemble(
        (f"{_when(happening.offset_ns):>{_WHEN}}  ", "dim"), (f"{name:<{width}}", style), "  "
    )


def _words(happening: Happening, page: Page) -> Text:
    text = Text()
    if happening.times > 1:
        text.append(f"{happening.times} times: ", style="bold")
    elif happening.duration_ns:
        text.append(f"{short_duration(happening.duration_ns)} ", style="bold")
    text.append(page.plain(happening.text))
    if happening.span:
        text.append(" in " if happening.is_own else " of ")
        text.append(one_line(happening.span, _LONGEST_SPAN), style="cyan")
    return text


def _when(offset_ns: int) -> str:
    return f"-{short_duration(-offset_ns)}" if offset_ns < 0 else short_duration(offset_ns)
