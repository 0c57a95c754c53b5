"""What else happened, for the terminal: a line each, with when, what, and where."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from otel_flight.report.model.other_events import EventEntry, OtherEvents
from otel_flight.report.terminal.page import Page
from otel_flight.words import count, one_line, short_duration

_WHEN: Final = 8
_LONGEST_NAME: Final = 24
_LEAST_ROOM: Final = 40
"""With fewer columns beside the names, the texts stand below them."""
_LONGEST_SPAN: Final = 60


def print_other_events(other_events: OtherEvents, page: Page) -> None:
    """Print the section; nothing when nothing else happened."""
    if not other_events.events:
        return
    page.section(f"What else happened: {count(other_events.events, 'event')}")
    width = min(_LONGEST_NAME, max((len(each.name) for each in other_events.entries), default=0))
    is_beside = page.width - width >= _WHEN + _LEAST_ROOM
    for each in other_events.entries:
        lead, words = _lead(each, width, page), _words(each, page)
        if is_beside:
            page.paragraph(words, lead)
        else:
            page.line(lead)
            page.paragraph(words, " " * (_WHEN + 2))
    if other_events.left_out:
        page.paragraph(Text(f"{page.plain('…')} {other_events.left_out} more", style="dim"))


def _lead(entry: EventEntry, width: int, page: Page) -> Text:
    name = page.plain(one_line(entry.name, width))
    style = "bold" if entry.is_own else ""
    return Text.assemble(
        (f"{_when(entry.offset_ns):>{_WHEN}}  ", "dim"), (f"{name:<{width}}", style), "  "
    )


def _words(entry: EventEntry, page: Page) -> Text:
    text = Text()
    if entry.times > 1:
        text.append(f"{entry.times} times: ", style="bold")
    elif entry.duration_ns:
        text.append(f"{short_duration(entry.duration_ns)} ", style="bold")
    text.append(page.plain(entry.text))
    if entry.span:
        text.append(" in " if entry.is_own else " of ")
        text.append(one_line(entry.span, _LONGEST_SPAN), style="cyan")
    return text


def _when(offset_ns: int) -> str:
    return f"-{short_duration(-offset_ns)}" if offset_ns < 0 else short_duration(offset_ns)
