"""What a slow span's time went into, as a bar whose pieces stand one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from otel_flight.incidents.window import WindowSpan
from otel_flight.report.model.time_words import Share
from otel_flight.report.terminal.page import Page, with_names
from otel_flight.words import quoted, short_duration

_BAR_SHARE: Final = 0.2
"""The bar takes this part of the width, as what is said needs more of it."""


def print_time_shares(slow: WindowSpan, shares: Sequence[Share], page: Page) -> None:
    """Print a section with one line for each share; a long one goes on below."""
    page.section(f"Where the {short_duration(slow.duration_ns)} of {quoted(slow.name)} went")
    width = max(10, int(page.width * _BAR_SHARE))
    reached = 0.0
    for each in shares:
        begin, reached = round(reached * width), reached + each.share
        end = min(width, max(begin + 1, round(reached * width)))
        bar = " " * begin + ("━" if each.is_known else "╌") * (end - begin)
        lead = Text(f"{each.share:>4.0%}  {short_duration(each.duration_ns):>6}  ", style="dim")
        lead.append(
            page.plain(f"{bar:<{width}}"), style="green not dim" if each.is_known else "dim"
        )
        page.paragraph(with_names(page.plain(each.words)), Text.assemble(lead, "  "))
