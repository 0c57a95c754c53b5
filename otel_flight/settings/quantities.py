"""Durations and sizes as people write them: ``500ms``, ``1.5s``, ``64KiB``, ``1GB``.

A bare number is no duration here: OpenTelemetry's own variables count milliseconds, ours would have
counted seconds, and a reader of ``=5`` cannot know which.
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal

from otel_flight.errors import InvalidQuantity

__all__ = ["format_duration", "format_size", "parse_duration", "parse_size"]

# Longest first: a duration is written in the longest unit that leaves at least one of it.
_DURATION_UNITS = {
    "d": Decimal(24 * 3600),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("1e-3"),
    "us": Decimal("1e-6"),
    "ns": Decimal("1e-9"),
}
_EXACT_UNITS = (
    "d",
    "h",
    "m",
)  # thirds of a minute have no finite decimal: only whole ones are written
_SIZE_UNITS = {
    "TiB": 1024**4,
    "GiB": 1024**3,
    "MiB": 1024**2,
    "KiB": 1024,
    "TB": 1000**4,
    "GB": 1000**3,
    "MB": 1000**2,
    "KB": 1000,
}
_SIZE_FACTORS = {unit.lower(): factor for unit, factor in _SIZE_UNITS.items()} | {"b": 1, "": 1}

# Bounded, so that no text can make the arithmetic slow.
_QUANTITY = re.compile(r"(\d{1,30}(?:\.\d{1,40})?) ?([a-zA-Zµ]{0,3})", re.ASCII)
# Our own context: the application may have set a precision that is too coarse for this.
_EXACT = Context(prec=400)


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as ``500ms``, ``2s``, ``1.5m`` or ``1h`` stands for.

    Args:
        text: A number and one of ns, us, ms, s, m, h, d; or just 0.

    Raises:
        InvalidQuantity: Anything else, a number without a unit included.
    """
    number, unit = _split(text, "is not a duration: write it as 500ms, 2s or 1m")
    if not unit and number:
        raise InvalidQuantity(text, f"has no unit: write {text.strip()}s or {text.strip()}ms")
    factor = _DURATION_UNITS.get(unit.replace("µ", "u") or "s")
    if factor is None:
        raise InvalidQuantity(text, f"has an unknown unit: use one of {', '.join(_DURATION_UNITS)}")
    return float(_EXACT.multiply(number, factor))


def format_duration(seconds: float) -> str:
    """Return a duration as ``parse_duration`` reads it, which gives back the very same float.

    Args:
        seconds: 0, or from 1e-12 to 1e12.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidQuantity(repr(seconds), "is not a duration: it must be finite and at least 0")
    exact = Decimal(repr(float(seconds)))
    for unit, factor in _DURATION_UNITS.items():
        is_exact = unit not in _EXACT_UNITS or _EXACT.remainder(exact, factor) == 0
        if exact >= factor and is_exact:
            return f"{_plain(_EXACT.divide(exact, factor))}{unit}"
    return f"{_plain(_EXACT.divide(exact, _DURATION_UNITS['ns']))}ns" if exact else "0s"


def parse_size(text: str) -> int:
    """Return the bytes that a text such as ``64KiB``, ``1.5MiB``, ``1MB`` or ``1024`` stands for.

    Args:
        text: A number, and one of B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers
            of 1024) in any case; without a unit, bytes.

    Raises:
        InvalidQuantity: Anything else, or not a whole number of bytes.
    """
    number, unit = _split(text, "is not a size: write it as 64KiB, 16MiB or 1GB")
    factor = _SIZE_FACTORS.get(unit.lower())
    if factor is None:
        is_ambiguous = f"{unit}ib".lower() in _SIZE_FACTORS
        hint = f"write {unit}iB or {unit}B" if is_ambiguous else f"use {', '.join(_SIZE_UNITS)}"
        raise InvalidQuantity(text, f"has an unknown unit: {hint}")
    size = _EXACT.multiply(number, Decimal(factor))
    if size != _EXACT.to_integral_value(size):
        raise InvalidQuantity(text, "is not a whole number of bytes: write a whole number")
    return int(size)


def format_size(size_bytes: int) -> str:
    """Return a size as ``parse_size`` reads it, in the largest unit that divides it.

    Args:
        size_bytes: At least 0.
    """
    if size_bytes < 0:
        raise InvalidQuantity(repr(size_bytes), "is not a size: it must be at least 0")
    for unit, factor in _SIZE_UNITS.items():
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return f"{size_bytes}B"


def _split(text: str, advice: str) -> tuple[Decimal, str]:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise InvalidQuantity(text, advice)
    return Decimal(found[1]), found[2]


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
