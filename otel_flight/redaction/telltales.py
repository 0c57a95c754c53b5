"""What tells that there may be a secret in some bytes: looked for in all that is recorded.

Nearly nothing that is recorded has any of it. What has is looked at by `redactor`, in its time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from otel_flight.interpreter.threads import HAS_GIL
from otel_flight.redaction import known_secrets, named_secrets

try:
    from otel_flight.redaction._telltales import Telltales  # type: ignore[import-not-found]
except ImportError:
    Telltales = None

Suspects = Callable[[bytes], bool]
"""It tells whether there may be a secret in some bytes."""

_OTHERS: Final = rb"""|://[^\s/?#"'<>:@]*(?::\d*[^\s/?#"'<>\d]|@)|sk-[\w-]{16}"""
"""A URL with a password has an `@`, or more than a port behind a `:`."""
_CARD: Final = rb"[2-6](?:[ -]?\d){13}"
"""A card has 14 digits."""
_IN_TEXT: Final = rb"(?<![\w.+-])"
"""In a text no letter comes before them, as in a hash; in a record what is before is no letter."""

_LOOKED_BEHIND: Final = (b"://", b"sk-")
"""Of these, the code in C looks at what follows, as the expression does."""


def words_of(parts: Iterable[str]) -> tuple[bytes, ...]:
    """Return texts, in lower case, one of which is in whatever is suspected.

    Args:
        parts: of the names of secrets.
    """
    found = {*parts, *known_secrets.WORDS, *named_secrets.WORDS}
    return tuple(sorted(word.encode() for word in found))


def compiled(words: Iterable[bytes], names: dict[str, bool], texts: dict[str, None]) -> Any:
    """Return what looks for the words in C; None where it cannot be used.

    It finds what `portable` finds, and passes over what is remembered as harmless.

    Args:
        words: as `words_of` returns them.
        names: names that were decided on; those with False are passed over.
        texts: texts that were found to be harmless.
    """
    if Telltales is None or not HAS_GIL:
        return None
    return Telltales((*words, *_LOOKED_BEHIND), names, texts)


def portable(words: Iterable[bytes]) -> Suspects:
    """Return what looks for the words in Python."""
    search = re.compile(expression_for(words)).search
    return lambda data: search(data.lower()) is not None


def expression_for(words: Iterable[bytes], *, in_text: bool = False) -> bytes:
    """Return the expression that finds one of the words, or what else tells, in lower case.

    Args:
        words: as `words_of` returns them.
        in_text: whether it is for a text, and not for a record.
    """
    return _any_of(set(words)) + _OTHERS + b"|" + (_IN_TEXT if in_text else b"") + _CARD


def _any_of(words: set[bytes]) -> bytes:
    """Return an expression for words that looks at each letter once; four times as fast."""
    if b"" in words:  # what else begins so has it in it
        return b""
    firsts = sorted({word[:1] for word in words})
    branches = [
        re.escape(first) + _any_of({word[1:] for word in words if word[:1] == first})
        for first in firsts
    ]
    return b"(?:" + b"|".join(branches) + b")"
