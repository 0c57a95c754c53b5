"""Secrets that can be told by the name before them: `password=…`, SQL, options, XML.

Most of this is to leave alone what is none: placeholders, code, and what people write of passwords.
Each expression takes time that is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from otel_flight.redaction.known_secrets import PRIVATE_KEY, REDACTED
from otel_flight.redaction.secret_names import SecretNames

WORDS: Final = ("identified", "auth ")
"""One of these, in lower case, is in every text in which a secret is found here; or a part of the
name of a secret is."""

_Replace = Callable[["re.Match[str]", str, SecretNames], str]
"""It returns what stands for a value, given the name before it."""

_NAME: Final = r"(?<![\w.$])(?P<name>[\w$@][\w.$@-]{0,127})"
_QUOTED: Final = (
    r"""[bru]{0,2}(?:(?P<outer>\\{1,4}["']).*?(?:(?P=outer)|\Z)"""
    r"""|"(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\]|\\.|'')*(?:'|\Z))"""
)
_PLAIN: Final = r"""[^\s,;&"'<>]+"""
_FLAGS: Final = re.ASCII | re.IGNORECASE | re.DOTALL

_ASSIGNED: Final = re.compile(
    rf"{_NAME}(?:\\{{0,4}}[\"'`\]]|%5D|%22|&quot;){{0,2}}"
    r"(?P<between>\s{0,8}(?:=>|:=|={1,3}|!=|<>|:|%3D|%3A)\s{0,8}"
    r"|\s{1,8}(?:not\s{1,8})?(?:i?like|in|is|was)\s{1,8})",
    _FLAGS,
)
_VALUE: Final = re.compile(
    rf"[\[(]\s*(?:{_QUOTED.replace('outer', 'first')}[\s,]*)+"
    rf"|(?:[a-z_][\w.]*\(\s*)?{_QUOTED.replace('outer', 'second')}|{_PLAIN}",
    _FLAGS,
)
_STATED: Final = re.compile(
    rf"{_NAME}(?P<between>\s{{1,8}}(?:by\s{{1,8}}|for\s{{1,8}}\S{{1,200}}\s{{0,8}}=\s{{0,8}})?)"
    r"(?=[\"'])",
    _FLAGS,
)
_IN_QUOTES: Final = re.compile(_QUOTED, _FLAGS)
_OPTION: Final = re.compile(
    r"(?<![\w-])--?(?P<name>[\w-]{1,127})(?P<between>\s{1,8}|[\"']\s{0,8},\s{0,8})", _FLAGS
)
_OPTION_VALUE: Final = re.compile(rf"{_QUOTED}|(?!-){_PLAIN}", _FLAGS)
_PAIR: Final = re.compile(
    r"[\[(]\s{0,8}b?(?P<quote>[\"'])(?P<name>[\w.-]{1,127})(?P=quote)(?P<between>\s{0,8},\s{0,8})",
    _FLAGS,
)
_ELEMENT: Final = re.compile(
    r"<(?:\w{1,64}:)?(?P<name>[\w.-]{1,127})(?P<between>(?:\s[^<>]{0,256})?>)", _FLAGS
)
_ELEMENT_VALUE: Final = re.compile(r"[^<]+(?=</)")
_PART: Final = re.compile(
    r"name=\\{0,4}\"(?P<name>[\w.-]{1,127})\\{0,4}\"(?P<between>(?:\r?\n|\\{1,4}r\\{1,4}n){2})",
    _FLAGS,
)
_PART_VALUE: Final = re.compile(r"[^\r\n\\]+")
_HEADER: Final = re.compile(
    r"(?P<start>(?<!\w)[\w-]{0,64}(?:authorization|cookie2?)[ \t]*[:=][ \t]*)"
    r"(?=(?:bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256)[ \t]"
    r"|[\w.%-]{1,128}=[^\s=]|[^\s\"',;]*\d)(?P<value>[^\r\n\"']+)",
    _FLAGS,
)
_INSERT: Final = re.compile(
    r"(?P<start>\b(?:insert|replace)\s{1,8}(?:\w+\s{1,8}){0,2}into\s[^(]{1,300}"
    r"\((?P<columns>[^)]{1,4000})\)\s*values?\s*)(?P<rest>\(.*)",
    _FLAGS,
)
_REDIS: Final = re.compile(
    r"(?P<start>(?<!\w)AUTH )(?!\?)(?P<value>[^\s\"']+(?: [^\s\"']+)?)(?=\s*?(?:[\"'\r\n]|\Z))",
    re.ASCII,
)
_PLACEHOLDER: Final = re.compile(
    r"\?|%s|%\(\w+\)s|:\w+|\$\d+|\$\{?[a-z_]\w*\}?|@\w+|\{.*\}|<.*>?|\*+|x{3,}|\.+|…|-+"
    r"|none|null|nil|undefined|true|false|\[?(?:redacted|filtered|masked|hidden)\]?",
    _FLAGS,
)
_GRANT: Final = "identified"
"""In SQL, this is followed by `BY` and a password."""
_PASSWORD: Final = re.compile(r"passw|pwd|passphrase|passcode", re.I)
_CODE: Final = re.compile(r"[a-z_]\w*(?:[._]\w+)*[(\[].*|[a-z]+(?:[._][a-z]+)+[:)]*", _FLAGS)
_WORDS: Final = frozenset(
    """and any are be bool bytes can cannot changed check denied does empty error expired failed
    field for from has incorrect int invalid is key length missing must needed no not of ok on
    optional or parameter policy prompt protected rejected required reset revoked should str string
    the to too type unexpected unknown updated valid value was weak wrong yes""".split()  # noqa: SIM905
)
"""Words that follow the word `password`, and are none."""
_SHORTEST_TEXT: Final = 16
"""A text without a digit behind a name and a colon is a secret if it has as many characters, unless
the name is that of a password."""
_SHORTEST_NUMBER: Final = 4
"""A number of fewer digits behind a name and a colon is a position, or a count."""


def without_named(text: str, names: SecretNames) -> str:
    """Return a text with what stands behind the names of secrets replaced."""
    text = _HEADER.sub(partial(_header, names), text)
    text = without_blocks(text, names)
    for before, behind, replace in _RULES:
        text = _without_values(text, names, before, behind, replace)
    return _REDIS.sub(_redis, text)


def without_blocks(text: str, names: SecretNames) -> str:
    """Return a text without the secrets that may be many lines long, or far from their names."""
    text = PRIVATE_KEY.sub(rf"\1{REDACTED}\2", text)
    return _INSERT.sub(partial(_inserted, names), text)


def _header(names: SecretNames, found: re.Match[str]) -> str:
    name = found["start"].rstrip(" \t:=")
    return found["start"] + REDACTED if names.is_secret(name) else found[0]


def _redis(found: re.Match[str]) -> str:
    is_prose = not _WORDS.isdisjoint(found["value"].lower().split())
    return found[0] if is_prose else found["start"] + REDACTED


def _inserted(names: SecretNames, found: re.Match[str]) -> str:
    if not any(map(names.is_secret, re.findall(r"[\w.$-]+", found["columns"]))):
        return found[0]
    return found["start"] + _quoted(found["rest"], names)


def _without_values(
    text: str,
    names: SecretNames,
    before: re.Pattern[str],
    behind: re.Pattern[str],
    replace: _Replace,
) -> str:
    """Replace values behind the names of secrets.

    What is behind any other name is looked at again: there may be such names in it.
    """
    kept: list[str] = []
    end = 0
    for found in before.finditer(text):
        is_candidate = found.start() >= end and _is_secret(found["name"], names)
        value = behind.match(text, found.end()) if is_candidate else None
        if value is not None:
            kept += text[end : value.start()], replace(found, value[0], names)
            end = value.end()
    return "".join([*kept, text[end:]]) if kept else text


def _is_secret(name: str, names: SecretNames) -> bool:
    return names.is_secret(name) or name.lower() == _GRANT


def _assigned(found: re.Match[str], value: str, names: SecretNames) -> str:
    """Replace a text in quotes, several in brackets, the argument of a call, or a word."""
    name, between = found["name"], found["between"]
    if name.lower() == _GRANT:
        return value
    if _IN_QUOTES.search(value):
        return _quoted(value, names)
    plain = value.rstrip(_unbalanced(value))
    if not plain or _is_none(plain, names) or _CODE.fullmatch(plain):
        return value
    is_secret = "=" in between or "%3" in between or _is_told(name, plain)
    return REDACTED + value[len(plain) :] if is_secret else value


def _stated(found: re.Match[str], value: str, names: SecretNames) -> str:
    name = found["name"]
    is_one = name.lower() == _GRANT or _PASSWORD.search(name) is not None
    return _quoted(value, names) if is_one else value


def _whole(found: re.Match[str], value: str, names: SecretNames) -> str:
    if found["name"].lower() == _GRANT or _is_none(value, names):
        return value
    return _quoted(value, names) if _IN_QUOTES.match(value) else REDACTED


_RULES: Final[tuple[tuple[re.Pattern[str], re.Pattern[str], _Replace], ...]] = (
    (_ASSIGNED, _VALUE, _assigned),
    (_STATED, _IN_QUOTES, _stated),
    (_OPTION, _OPTION_VALUE, _whole),
    (_PAIR, _IN_QUOTES, _whole),
    (_ELEMENT, _ELEMENT_VALUE, _whole),
    (_PART, _PART_VALUE, _whole),
)


def _quoted(text: str, names: SecretNames) -> str:
    """Replace what is within quotes, as far as it can be a secret."""

    def replace(found: re.Match[str]) -> str:
        prefix = re.match(r"[bru]*\\*[\"']", found[0], re.I)
        start = prefix[0] if prefix else ""
        mark = start.lstrip("bruBRU")
        is_closed = found[0].endswith(mark) and len(found[0]) >= len(start) + len(mark)
        inner = found[0][len(start) : len(found[0]) - (len(mark) if is_closed else 0)]
        if _is_none(inner, names):
            return found[0]
        return f"{start}{REDACTED}{mark if is_closed else ''}"

    return _IN_QUOTES.sub(replace, text)


def _is_none(value: str, names: SecretNames) -> bool:
    """Return whether a value says that there is no secret, or where it comes from."""
    return (
        not value.strip()
        or _PLACEHOLDER.fullmatch(value.strip()) is not None
        or REDACTED in value
        or names.is_secret(value)
    )


def _is_told(name: str, value: str) -> bool:
    """Return whether what stands behind a name and a colon, or an `is`, is a secret."""
    if value.isdigit():
        return len(value) >= _SHORTEST_NUMBER
    word = value.rstrip(".:!?")
    if word.isalpha():
        return bool(_PASSWORD.search(name)) and word.lower() not in _WORDS
    is_long = len(value) >= _SHORTEST_TEXT or any(map(str.isdigit, value))
    return is_long or bool(_PASSWORD.search(name))


def _unbalanced(value: str) -> str:
    """Return the closing brackets that are of what is around a value."""
    return "".join(
        closing
        for opening, closing in ("()", "[]", "{}")
        if value.count(closing) > value.count(opening)
    )
