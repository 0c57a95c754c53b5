"""Takes secrets out of records before they are written: one place for all that is recorded.

What has no telltale is passed on as it is. Else the record is taken apart, and each name and text
of it is decided on. Any thread; what was decided is remembered, in bounded dicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from otel_flight.redaction import telltales
from otel_flight.redaction.known_secrets import REDACTED, without_known
from otel_flight.redaction.long_texts import LONG_CHARACTERS, LongTexts
from otel_flight.redaction.named_secrets import without_blocks, without_named
from otel_flight.redaction.secret_names import DEFAULT_PATTERNS, SecretNames

_MOST_REMEMBERED: Final = 1024
"""So many names, and as many texts, are remembered; then they are forgotten all at once."""
_LONGEST_REMEMBERED: Final = 256
"""A name or text with more characters is not remembered."""

_NUMBERS: Final = frozenset({int, float, bool})
_NUMBERED: Final = re.compile(
    r"(?:(?:\A|[^a-z])(?i:ids?|no|num(?:ber)?|offset|order|sequence)|[a-z](?:I[Dd]s?|Number))\Z"
)
"""What has such a name may have as many digits as a card has, and mostly is none."""

_decode: Final = msgspec.msgpack.Decoder().decode
_encode: Final = msgspec.msgpack.Encoder().encode


class Redactor:
    """Finds secrets by the names before them, and by what they look like.

    Args:
        patterns: names of secrets besides `DEFAULT_PATTERNS`.
        allowed: names of what is left as it is, whatever its name and its value are.
        is_compiled: whether what is in C may be used.

    Attributes:
        compiled: what looks for telltales in C; None where it is not used.
    """

    def __init__(
        self, patterns: Iterable[str] = (), allowed: Iterable[str] = (), *, is_compiled: bool = True
    ) -> None:
        self._names = SecretNames((*DEFAULT_PATTERNS, *patterns), allowed)
        self._decided: dict[str, bool] = {}
        self._plain_names: set[str] = set()
        self._harmless: dict[str, None] = {}
        parts = self._names.parts()
        words = telltales.words_of(parts or ())
        self._long_texts = None if parts is None else LongTexts(words)
        self.compiled: Any = None
        if parts is None:
            self.suspects: telltales.Suspects = lambda _: True
            return
        if is_compiled:
            self.compiled = telltales.compiled(words, self._decided, self._harmless)
        found = None if self.compiled is None else self.compiled.found
        self.suspects = found or telltales.portable(words)

    def suspects_plain(self, data: bytes, name: str, attributes: Mapping[str, Any]) -> bool:
        """Return whether there may be a secret in the record of a span that has nothing but these.

        Without the code in C, to look whether they are known takes a tenth of what to look for
        telltales takes.
        """
        if self.compiled is not None:
            return self.suspects(data)
        harmless = self._harmless
        if name not in harmless and not self._is_known(name):
            return True
        if not self._plain_names.issuperset(attributes) and self._has_name(attributes):
            return True
        for value in tuple(attributes.values()):
            kind = type(value)
            if kind is str:
                if value not in harmless and not self._is_known(value):
                    return True
            elif kind not in _NUMBERS:
                return self.suspects(data)
        return False

    def record(self, data: bytes) -> bytes:
        """Return an encoded record without its secrets; itself where there are none."""
        if not self.suspects(data):
            return data
        fields = _decode(data)
        clean = self.fields(fields)
        return data if clean is fields else _encode(clean)

    def fields(self, value: Any) -> Any:
        """Return a record's fields without their secrets; themselves where there are none."""
        if type(value) is not list and type(value) is not tuple:
            return self.value(value)
        return _unless_same(value, [self.fields(item) for item in value])

    def value(self, value: Any) -> Any:
        """Return an attribute, or several, without secrets; itself where there are none."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is dict:
            return self._entries(value)
        if kind is list or kind is tuple:
            return self._items(value)
        return self._bytes(value) if kind is bytes else value

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        if text in self._harmless:
            return text
        if len(text) < LONG_CHARACTERS or self._long_texts is None:
            clean = self._clean(text)
        else:
            whole = without_blocks(text, self._names)
            clean = self._long_texts.clean(whole, self._clean)
        if clean != text:
            return clean
        is_short = len(text) <= _LONGEST_REMEMBERED
        if is_short and not self._is_name(text.lstrip("-")):  # else it says what the next one is
            self._remember(self._harmless, text, None)
        return text

    def _clean(self, text: str) -> str:
        return without_known(without_named(text, self._names))

    def _entries(self, entries: dict[Any, Any]) -> dict[Any, Any]:
        clean = {key: self._entry(key, value) for key, value in entries.items()}
        is_same = all(clean[key] is value for key, value in entries.items())
        return entries if is_same else clean

    def _entry(self, key: Any, value: Any) -> Any:
        if type(key) is not str:
            return self.value(value)
        if self._is_name(key):
            return _without(value)
        if self._names.is_allowed(key) or _is_numbered(key, value):
            return value
        return self.value(value)

    def _items(self, items: list[Any] | tuple[Any, ...]) -> Any:
        clean: list[Any] = []
        for item in items:
            before = items[len(clean) - 1] if clean else None
            is_value = type(before) is str and self._names_next(before, len(items))
            clean.append(_without(item) if is_value else self.value(item))
        return _unless_same(items, clean)

    def _names_next(self, item: str, count: int) -> bool:
        """Return whether an item says that the next one is a secret.

        That is so for an option of a command line, and for the first one of a pair.
        """
        if item.startswith("-"):
            return self._is_name(item.lstrip("-"))
        return count == 2 and self._is_name(item)

    def _is_name(self, name: str) -> bool:
        known = self._decided.get(name)
        if known is None:
            known = self._names.is_secret(name)
            self._remember(self._decided, name, known)
        return known

    def _has_name(self, names: Iterable[str]) -> bool:
        """Return whether one of these is the name of a secret; if none is, they are known then."""
        found = tuple(names)
        if any(map(self._is_name, found)):
            return True
        if len(self._plain_names) + len(found) > _MOST_REMEMBERED:
            self._plain_names.clear()
        self._plain_names.update(name for name in found if len(name) <= _LONGEST_REMEMBERED)
        return False

    def _bytes(self, value: bytes) -> bytes:
        text = value.decode("utf-8", "surrogateescape")
        clean = self.text(text)
        return value if clean is text else clean.encode("utf-8", "surrogateescape")

    def _is_known(self, text: str) -> bool:
        """Return whether a text is known to be harmless, or is found to be, and is known then."""
        if text in self._harmless:
            return True
        if self.suspects(text.encode("utf-8", "replace")):
            return False
        self._remember(self._harmless, text, None)
        return True

    @staticmethod
    def _remember(known: dict[str, Any], text: str, what: Any) -> None:
        if len(text) > _LONGEST_REMEMBERED:
            return
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        known[text] = what


def _unless_same(old: list[Any] | tuple[Any, ...], new: list[Any]) -> Any:
    """Return the old items where the new ones are the same objects."""
    is_same = all(one is other for one, other in zip(old, new, strict=True))
    return old if is_same else type(old)(new)


def _is_numbered(name: str, value: Any) -> bool:
    """Return whether a value is nothing but a number, and its name says of what."""
    is_number = type(value) is str and value.isdigit()
    return is_number and "card" not in name.lower() and _NUMBERED.search(name) is not None


def _without(value: Any) -> Any:
    """Return what stands for a secret; what says only whether there is one stays."""
    return value if value is None or type(value) is bool or value in ("", [], {}) else REDACTED
