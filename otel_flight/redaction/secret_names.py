"""Which names are those of secrets: of attributes, variables, columns, options and headers.

A name is compared with patterns in which `*` stands for anything. Case does not matter, nor do
digits at the end; where a pattern has a `-`, a name may have `-`, `_`, `.`, a space or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

DEFAULT_PATTERNS: Final = (
    "*access-key",
    "*account-key",
    "*api-key",
    "*authorization",
    "*card-number",
    "*cookie",
    "*cookies",
    "*credential",
    "*credentials",
    "*cvc",
    "*cvv",
    "*encryption-key",
    "*jwt",
    "*passcode",
    "*passphrase",
    "*passwd*",
    "*password*",
    "*private-key",
    "*pwd",
    "*secret",
    "*secret-key",
    "*secrets",
    "*signing-key",
    "*token",
)
"""Names that match one of these are those of secrets, whatever the settings add."""

SHORTEST_PART: Final = 3
"""A part of a pattern is looked for in bytes if it has at least so many letters."""
_SEPARATORS: Final = ("", "-", "_", ".", " ")
_SEPARATOR: Final = re.compile(r"[-_. ]")
_MOST_SEPARATORS: Final = 2
"""A part with more separators is looked for by its longest piece."""


class SecretNames:
    """Tells whether a name is that of a secret.

    Args:
        patterns: names that are.
        allowed: names that are not, whatever the patterns say.
    """

    def __init__(self, patterns: Iterable[str], allowed: Iterable[str] = ()) -> None:
        self._patterns = tuple(patterns)
        self._secret = _compiled(self._patterns)
        self._allowed = _compiled(allowed)

    def is_secret(self, name: str) -> bool:
        """Return whether a name is that of a secret."""
        return self._secret.fullmatch(name) is not None and not self.is_allowed(name)

    def is_allowed(self, name: str) -> bool:
        """Return whether what has this name is left as it is."""
        return self._allowed.fullmatch(name) is not None

    def parts(self) -> frozenset[str] | None:
        """Return texts in lower case, one of which is in every name of a secret.

        None: there are no such texts, as a pattern has no three letters in a row.
        """
        found: set[str] = set()
        for pattern in self._patterns:
            pieces = _SEPARATOR.split(max(re.split(r"[*?]+", pattern.lower()), key=len))
            if len(pieces) - 1 > _MOST_SEPARATORS:
                pieces = [max(pieces, key=len)]
            if sum(map(len, pieces)) < SHORTEST_PART:
                return None
            found.update(_spelled(pieces))
        return frozenset(found)


def _spelled(pieces: list[str]) -> Iterator[str]:
    """Yield what a part looks like with each separator that a name may have there."""
    for separators in product(_SEPARATORS, repeat=len(pieces) - 1):
        between = (*separators, "")
        yield "".join(piece + between[index] for index, piece in enumerate(pieces))


def _compiled(patterns: Iterable[str]) -> re.Pattern[str]:
    alternatives = "|".join("".join(map(_as_expression, pattern)) for pattern in patterns)
    nothing = "(?!)"
    return re.compile(rf"(?:{alternatives or nothing})\d*", re.ASCII | re.IGNORECASE | re.DOTALL)


def _as_expression(character: str) -> str:
    if character == "*":
        return ".*"
    if character == "?":
        return "."
    return "[-_. ]?" if _SEPARATOR.match(character) else re.escape(character)
