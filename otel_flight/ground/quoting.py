"""How a message quotes what was given to us: never all of it, and never what it may not show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

_LONGEST: Final = 200
"""So many characters of a value are quoted."""
_MOST_NAMES: Final = 10
"""So many names of a list are quoted."""
_USER: Final = re.compile(r"""(?<=//)[^/\s@]*@|(?<![\w/])[^\s/@'"()<>=]+:[^\s/@'"]*@""")
"""It finds user and password of an endpoint in a text, also of one that has no scheme."""
_QUERY: Final = re.compile(r"""((?:://|url: )[^\s?'"]*)\?[^\s'")]*""")
"""It finds the query of a URL in a text, also where it is written as `requests` does."""


def shown(value: object) -> str:
    """Return the start of ``repr(value)``, whatever the value's own ``__repr__`` does.

    An endpoint in it has no password.
    """
    try:
        text = without_secrets(repr(value))
    except Exception:  # noqa: BLE001  (a foreign __repr__ may raise anything)
        return f"<unprintable {type(value).__name__}>"
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}…[+{len(text) - _LONGEST} characters]"


def without_secrets(text: str) -> str:
    """Return a text without what endpoints in it may hold besides an address."""
    return _QUERY.sub(r"\1", _USER.sub("", text))


def shown_target(target: str) -> str:
    """Return what may be said of whom to notify: the path of a chat server's URL is its password.

    Args:
        target: a command after `exec:`, or a URL.
    """
    scheme, separator, rest = target.partition("://")
    if separator:
        return f"{scheme}://{rest.split('/')[0].split('?')[0].rpartition('@')[2]}"
    return next(iter(target.removeprefix("exec:").split()), "")


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def common_start(names: Sequence[str]) -> str:
    """Return what all names begin with: those do that are the first and the last in their order."""
    pairs = zip(min(names, default=""), max(names, default=""), strict=False)
    return "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
