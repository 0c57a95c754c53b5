"""How times, sizes, counts and names read in a finding, a report or a command's output."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

from otel_flight.settings.quantities import format_duration

_KIB = 1024
_TO_ASCII: Final = str.maketrans("━╸▒╍╌─┄◀▶├└│…×→", "=-#:.~.<>|`|.x>")


def moment(wall_ns: int) -> str:
    """Return a time as `2026-01-01 10:00:02.600 UTC`; `unknown` for zero or nonsense."""
    try:
        when = datetime.fromtimestamp(wall_ns // 1_000_000 / 1000, tz=timezone.utc)
    except (OverflowError, OSError, ValueError):
        return "unknown"
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} UTC" if wall_ns else "unknown"


def short_duration(nanoseconds: float) -> str:
    """Return a duration in three digits, as settings are written: `2.41s`, `12.3ms`."""
    return format_duration(float(f"{max(0.0, nanoseconds) / 1e9:.3g}"))


def age(nanoseconds: int) -> str:
    """Return how long ago something was, roughly: `3 s ago`, `19 min ago`."""
    value = max(0.0, nanoseconds / 1e9)
    for unit, length in (("s", 60), ("min", 60), ("h", 48)):
        if value < length:
            return f"{value:.0f} {unit} ago"
        value /= 60 if unit != "h" else 24
    return f"{value:.0f} days ago"


def size(bytes_count: int) -> str:
    """Return a size in its natural unit, with at most one decimal: `8.1 MiB`."""
    value = float(bytes_count)
    for unit in ("B", "KiB", "MiB"):
        if value < _KIB:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KIB
    return f"{value:.1f} GiB"


def count(number: int, singular: str, plural: str = "") -> str:
    """Return `1 span`, `12 345 spans`."""
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}".replace(",", " ")


def quoted(name: str, longest: int = 80) -> str:
    """Return a name as it stands in a sentence."""
    return f"`{one_line(name, longest)}`"


def one_line(text: str, longest: int) -> str:
    """Return a text in one line, cut with `…`.

    Whatever a terminal would obey (line breaks, escape sequences, text direction) becomes blanks:
    names and messages come from requests.
    """
    printable = (char if char.isprintable() else " " for char in text[: longest * 4])
    line = " ".join("".join(printable).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def in_ascii(text: str) -> str:
    """Return a text with the characters that reports are drawn with replaced by plain ones."""
    return text.translate(_TO_ASCII)
