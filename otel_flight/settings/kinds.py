"""What a setting can be: how its value is read, checked, written back and described.

Every kind reads a value of its own type as well as a text in the syntax of the environment
variable, because the options of a configuration file arrive as either.
"""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from otel_flight.settings.quantities import format_duration, format_size, parse_duration, parse_size

__all__ = [
    "Kind",
    "attribute_names",
    "choice",
    "count",
    "duration",
    "flag",
    "globs",
    "limit",
    "log_level",
    "or_off",
    "or_unset",
    "or_word",
    "routes",
    "share",
    "signal_name",
    "size",
]

# The first two cannot be caught; after the others the faulting instruction runs again, for ever.
_UNUSABLE_SIGNALS = {"SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"}


@dataclass(frozen=True)
class Kind:
    """What one setting can be.

    Attributes:
        allowed: What can be given, as it reads after "give".
        read: Returns the value, given as itself or as text, in its one normal form. Raises
            ``InvalidQuantity``, another ``ValueError`` or ``TypeError`` for anything else.
        write: Returns a value as text that ``read`` reads.
    """

    allowed: str
    read: Callable[[object], object]
    write: Callable[[Any], str] = str


_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


def flag() -> Kind:
    """True or false, in any of the words that people write for them, in any case.

    The OpenTelemetry specification knows `true` and `false` alone, and takes everything else for
    false; but who writes `0` or `off` means it.
    """

    def read(value: object) -> bool:
        text = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
        if text not in _TRUE | _FALSE:
            raise ValueError
        return text in _TRUE

    return Kind("true or false", read, lambda value: "true" if value else "false")


def count(lowest: int, highest: int) -> Kind:
    """A whole number within limits."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\d{1,30}", value.strip(), re.ASCII):
            value = int(value)
        number = _number(value)
        if number != number // 1:
            raise ValueError
        return int(_within(number, lowest, highest))

    return Kind(f"a whole number from {lowest} to {highest}", read)


def share(lowest: float, highest: float) -> Kind:
    """A fraction within limits."""

    def read(value: object) -> float:
        number = float(value) if isinstance(value, str) else _number(value)
        return float(_within(number, lowest, highest))

    return Kind(f"a number from {lowest:g} to {highest:g}", read, repr)


def duration(lowest: float, highest: float) -> Kind:
    """Seconds within limits; as text with a unit."""

    def read(value: object) -> float:
        seconds = parse_duration(value) if isinstance(value, str) else _number(value)
        return float(_within(seconds, lowest, highest))

    allowed = f"a duration from {format_duration(lowest)} to {format_duration(highest)}"
    return Kind(allowed, read, format_duration)


def limit(highest: float = 3600.0) -> Kind:
    """Seconds from a millisecond on that something may take; off: as long as it likes."""
    return or_off(duration(0.001, highest))


def size(lowest: int, highest: int) -> Kind:
    """Bytes within limits."""

    def read(value: object) -> int:
        number = parse_size(value) if isinstance(value, str) else _number(value)
        if number != number // 1:
            raise ValueError
        return int(_within(number, lowest, highest))

    return Kind(f"a size from {format_size(lowest)} to {format_size(highest)}", read, format_size)


def choice(*words: str) -> Kind:
    """One of some words, in any case."""

    def read(value: object) -> str:
        if value is False and "off" in words:  # what YAML makes of a bare `off`
            return "off"
        if not isinstance(value, str) or value.strip().lower() not in words:
            raise ValueError
        return value.strip().lower()

    return Kind(f"one of {', '.join(words)}", read)


def globs() -> Kind:
    """Shell-style patterns, each for a whole name."""

    def read(value: object) -> tuple[str, ...]:
        patterns = _items(value)
        if not all(isinstance(pattern, str) and pattern.strip() for pattern in patterns):
            raise ValueError
        return tuple(str(pattern).strip() for pattern in patterns)

    return Kind("patterns such as Some*Name, separated by commas", read, ",".join)


def attribute_names() -> Kind:
    """The names of attributes, each as it stands; none is written ``off``."""
    names = or_off(globs())
    return Kind(
        "names of attributes, separated by commas, or off",
        lambda value: names.read(value) or (),
        lambda value: names.write(value or None),
    )


def routes(limit: Kind) -> Kind:
    """Patterns with a limit each, in order, as text ``pattern=limit``."""

    def read_one(item: object) -> tuple[str, object]:
        parts = item.rsplit("=", 1) if isinstance(item, str) else _items(item)
        if len(parts) != 2 or not isinstance(parts[0], str) or not parts[0].strip():
            raise ValueError
        return parts[0].strip(), limit.read(parts[1])

    def read(value: object) -> tuple[tuple[str, object], ...]:
        items = value.items() if isinstance(value, Mapping) else _items(value)
        return tuple(read_one(item) for item in items)

    def write(value: Iterable[tuple[str, object]]) -> str:
        return ",".join(f"{pattern}={limit.write(at)}" for pattern, at in value)

    allowed = f"pattern=limit pairs separated by commas, each limit {limit.allowed}"
    return Kind(allowed, read, write)


def signal_name() -> Kind:
    """The name of a signal of this platform that a Python handler can be set for."""

    def read(value: object) -> str:
        if isinstance(value, signal.Signals):
            value = value.name
        name = value.strip().upper() if isinstance(value, str) else ""
        if name not in signal.Signals.__members__ or name in _UNUSABLE_SIGNALS:
            raise ValueError
        return name

    return Kind("the name of a signal that can be handled, such as SIGUSR1", read)


def log_level() -> Kind:
    """The name of a level of the `logging` module, or one of the application's own."""

    def read(value: object) -> str:
        name = value.strip().upper() if isinstance(value, str) else ""
        if not isinstance(logging.getLevelName(name), int) or name == "NOTSET":
            raise ValueError
        return name

    return Kind("the name of a log level, such as WARNING", read)


def or_off(kind: Kind) -> Kind:
    """A kind or None, which is written ``off``."""

    def read(value: object) -> object:
        # False is what YAML makes of a bare `off`.
        if value is None or value is False:
            return None
        if isinstance(value, str) and value.strip().lower() == "off":
            return None
        return kind.read(value)

    return Kind(
        f"{kind.allowed}, or off", read, lambda value: "off" if value is None else kind.write(value)
    )


def or_word(word: str, kind: Kind) -> Kind:
    """A kind, or one word that means something else."""

    def read(value: object) -> object:
        is_word = isinstance(value, str) and value.strip().lower() == word
        return word if is_word else kind.read(value)

    return Kind(
        f"{word}, or {kind.allowed}",
        read,
        lambda value: word if value == word else kind.write(value),
    )


def or_unset(kind: Kind) -> Kind:
    """A kind or None, which is an empty environment variable, or none."""
    return Kind(
        kind.allowed,
        lambda value: None if value is None else kind.read(value),
        lambda value: "" if value is None else kind.write(value),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return value


def _within(number: float, lowest: float, highest: float) -> float:
    if not lowest <= number <= highest:  # also when it is not a number at all
        raise ValueError
    return number


def _items(value: object) -> tuple[object, ...]:
    """Return the items of a list that may be a text separated by commas."""
    if isinstance(value, str):
        return tuple(item for item in value.split(",") if item.strip())
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise TypeError
    return tuple(value)
