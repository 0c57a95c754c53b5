"""A timeline as lines of text: label, bar, duration, marks, in columns that fit the width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from otel_flight.report.model.timeline import Neighbour, Timeline
from otel_flight.report.model.trace_nodes import INFERRED, PAUSE, SPAN
from otel_flight.report.model.trace_rows import Gap, Row
from otel_flight.words import in_ascii, one_line, short_duration

_NARROWEST_LABEL: Final = 16
_LABEL_SHARE: Final = 0.38
_DURATION: Final = 7
_NARROWEST_BAR: Final = 10
_MOST_NAMES: Final = 4
_GLYPHS: Final = {SPAN: "━", PAUSE: "▒", INFERRED: "╍"}
_STYLES: Final = {PAUSE: "yellow", INFERRED: "green"}


class _Line(NamedTuple):
    """One line before it is laid out."""

    tree: str
    label: str
    bar: _Bar
    duration: str
    marks: str
    style: str


@dataclass(frozen=True)
class _Bar:
    offset_ns: int
    end_ns: int
    glyph: str
    is_open: bool = False


class TimelineBars:
    """Both parts of a timeline on one axis.

    Args:
        timeline: what to draw.
        width: columns to fill.
        is_ascii: draw with characters that every encoding has.
    """

    def __init__(self, timeline: Timeline, width: int, *, is_ascii: bool = False) -> None:
        self._timeline = timeline
        self._is_ascii = is_ascii
        self._trace = [_gap(row) if isinstance(row, Gap) else _row(row) for row in timeline.rows]
        self._neighbours = [_neighbour(each) for each in timeline.neighbours]
        lines = [*self._trace, *self._neighbours]
        widest = max((cell_len(line.tree + line.label) for line in lines), default=0)
        self._label = max(_NARROWEST_LABEL, min(widest, int(width * _LABEL_SHARE)))
        self._marks = max((cell_len(line.marks) for line in lines), default=0)
        taken = self._label + _DURATION + 2 + (self._marks + 1 if self._marks else 0)
        self._bar = max(_NARROWEST_BAR, width - taken)

    def trace_lines(self) -> Iterator[Text]:
        """Yield the ruler and a line for each row of the trigger's trace."""
        yield self._ruler()
        yield from map(self._layout, self._trace)

    def neighbour_lines(self) -> Iterator[Text]:
        """Yield a line for each neighbour that is shown."""
        if not self._trace:
            yield self._ruler()
        yield from map(self._layout, self._neighbours)

    def left_out(self) -> str:
        """Return what is said of neighbours without a line, empty when all have one."""
        timeline = self._timeline
        more = timeline.neighbours_total - len(timeline.neighbours)
        if more <= 0:
            return ""
        names = timeline.neighbour_names
        words = [f"{number} × {one_line(name, 40)}" for name, number in names[:_MOST_NAMES]]
        rest = sum(number for _, number in names[_MOST_NAMES:])
        words += [f"{rest} others"] if rest else []
        return self._plain(f"… {more} more; in all {', '.join(words)}")

    def _ruler(self) -> Text:
        length = self._timeline.length_ns
        half, full = short_duration(length / 2), short_duration(length)
        middle = self._bar // 2
        line = f"0{half:>{middle}}"
        line += f"{full:>{self._bar - len(line)}}"
        return Text(" " * (self._label + 1) + line, style="dim")

    def _layout(self, line: _Line) -> Text:
        label = Text(self._plain(line.tree), style="dim")
        room = max(1, self._label - cell_len(line.tree))
        label.append(self._plain(_fit(line.label, room)), style=line.style)
        text = Text.assemble(label, " ", (self._plain(self._draw(line.bar)), line.style), " ")
        text.append(f"{line.duration:>{_DURATION}}")
        if line.marks:
            text.append(f" {line.marks}", style=line.style)
        text.no_wrap = True
        return text

    def _draw(self, bar: _Bar) -> str:
        length, width = self._timeline.length_ns, self._bar
        first = min(width - 1, max(0, bar.offset_ns * width // length))
        last = max(first + 1, min(width, ceil(bar.end_ns * width / length)))
        cells = [" "] * width
        cells[first:last] = [bar.glyph] * (last - first)
        is_short = (bar.end_ns - bar.offset_ns) * width < length / 2
        if is_short and last - first == 1 and bar.glyph == "━":
            cells[first] = "╸"
        if bar.offset_ns < 0:
            cells[0] = "◀"
        if bar.is_open or bar.end_ns > length:
            cells[last - 1] = "▶"
        return "".join(cells)

    def _plain(self, text: str) -> str:
        return in_ascii(text) if self._is_ascii else text


def _row(row: Row) -> _Line:
    marks = ["trigger"] if row.is_trigger else []
    marks += [row.kind] if row.kind != SPAN else []
    marks += ["failed"] if row.is_error else []
    marks += ["open"] if row.is_open else []
    marks += [f"[{number}]" for number in row.findings]
    usual = _STYLES.get(row.kind, "cyan")
    style = "red" if row.is_error else "magenta" if row.is_open else usual
    glyph = _GLYPHS.get(row.kind, "━")
    return _Line(
        tree=_shallow(row.tree),
        label=f"{one_line(row.name, 200) or '(no name)'} {row.detail}".rstrip(),
        bar=_Bar(row.offset_ns, row.offset_ns + row.duration_ns, glyph, row.is_open),
        duration=short_duration(row.duration_ns),
        marks=" ".join(marks),
        style=f"bold {style}" if row.is_trigger or row.findings else style,
    )


def _gap(gap: Gap) -> _Line:
    what = one_line(gap.name, 200) if gap.name else "spans"
    return _Line(
        tree=_shallow(gap.tree),
        label=f"… {gap.spans} more {what}",
        bar=_Bar(gap.offset_ns, gap.end_ns, "┄"),
        duration="",
        marks="",
        style="dim",
    )


def _neighbour(neighbour: Neighbour) -> _Line:
    marks: Sequence[str] = [
        *(["failed"] if neighbour.is_error else []),
        *(["open"] if neighbour.is_open else []),
        *(f"[{number}]" for number in neighbour.findings),
    ]
    end_ns = neighbour.offset_ns + neighbour.duration_ns
    return _Line(
        tree="",
        label=one_line(neighbour.name, 200) or "(no name)",
        bar=_Bar(neighbour.offset_ns, end_ns, "─", neighbour.is_open),
        duration=short_duration(neighbour.duration_ns),
        marks=" ".join(marks),
        style=f"{'bold ' * bool(neighbour.findings)}{'red' if neighbour.is_error else 'blue'}",
    )


def _shallow(tree: str) -> str:
    """Return the guides of at most eight levels: names matter more than depth."""
    return tree if len(tree) <= 16 else f"…{tree[-15:]}"


def _fit(text: str, width: int) -> str:
    """Return a text in exactly so many columns."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return f"{set_cell_size(text, width - 1)}…"
