"""Secrets that can be told by what they look like, wherever they stand in a text.

Each is found by an expression whose time is linear in the length of the text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

from otel_flight.redaction.card_numbers import CARD_NUMBER, is_card_number

REDACTED: Final = "[redacted]"
"""This stands where a secret was."""

_LONGEST_WORD: Final = 24
"""A word behind the name of an authorization scheme has fewer letters; a token has as many, or a
digit."""
_SHORTEST_TOKEN: Final = 16
"""What stands behind the word `token` alone, and is one, has at least so many letters."""

_Replace = Callable[["re.Match[str]"], str]

PRIVATE_KEY: Final = re.compile(
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----).*?"
    r"(-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_USER_AND_PASSWORD: Final = re.compile(
    r"""(?<=://)(?:[^\s/?#"'<>@:]*:[^\s/?#"'<>]*|[A-Za-z0-9_-]{20,})(?=@)"""
    r"""|(?<=://)[^\s/?#"'<>@:\[]*:\d*[^\s/?#"'<>\d…][^\s/?#"'<>…]*(?=…|\Z)"""
)
"""It also finds one in a text that was cut before the `@`: no port has letters."""
_DRIVER_ADDRESS: Final = re.compile(
    r"""(?<![^\s"'=(])[^\s"'@/:()]{1,64}:[^\s"'/]{1,128}(?=@(?:tcp|unix)\()"""
)
_SCHEME: Final = re.compile(
    r"(?<![A-Za-z0-9])(bearer|basic|token|apikey|negotiate)([ \t]+)"
    r"([A-Za-z0-9_.~+/=-]{8,})",
    re.ASCII | re.IGNORECASE,
)
_JSON_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}"
)
_TOKENS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}"  # Amazon
    r"|gh[opsru]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|gl(?:pat|dt|rt|ptt|soat|cbt|ft)-[\w.-]{16,}"  # GitLab
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}"  # Slack
    r"|[rs]k_(?:live|test)_\w{10,}|whsec_[\w+/=]{16,}"  # Stripe
    r"|sk-(?:proj|ant|or|svcacct|admin|live)[\w-]{16,}|sk-[A-Za-z0-9]{20,}"  # models
    r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}"  # Google
    r"|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{16,}|dckr_pat_[\w-]{16,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}"  # SendGrid
    r"|hf_[A-Za-z0-9]{30,}|do[oprt]_v1_[0-9a-f]{32,}|dapi[0-9a-f]{32}|shp(?:at|ca|pa|ss)_[0-9a-f]{32}"
    r"|hv[sbr]\.[\w-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|lin_api_\w{20,}|dp\.pt\.\w{20,}"
    r"|sntrys_[\w=+/-]{20,}|glsa_\w{20,}|nvapi-[\w-]{20,}|\d{8,10}:AA[\w-]{32,34}"  # … Telegram
    r")",
    re.ASCII,
)
_HOOK: Final = re.compile(
    r"(hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/)[\w/-]+", re.ASCII
)
_SIGNATURE: Final = re.compile(
    r"([?&](?:sig|signature|x-amz-signature|x-goog-signature|awsaccesskeyid)=)[^&\s\"'#]+",
    re.ASCII | re.IGNORECASE,
)

WORDS: Final = (
    "private key",
    "bearer",
    "basic ",
    "apikey",
    "negotiate",
    "token",
    "eyj",
    "akia",
    "asia",
    "abia",
    "acca",
    "gho_",
    "ghp_",
    "ghs_",
    "ghr_",
    "ghu_",
    "github_pat",
    "glpat-",
    "gldt-",
    "glrt-",
    "glptt-",
    "glsoat-",
    "glcbt-",
    "glft-",
    "xox",
    "xapp-",
    "k_live_",
    "k_test_",
    "whsec_",
    "aiza",
    "ya29.",
    "gocspx-",
    "npm_",
    "pypi-",
    "dckr_pat",
    "sg.",
    "hf_",
    "_v1_",
    "dapi",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "hvs.",
    "hvb.",
    "hvr.",
    "secret-key-1",
    "lin_api_",
    "dp.pt.",
    "sntrys_",
    "glsa_",
    "nvapi-",
    ":aa",
    "hooks.slack",
    "/webhooks/",
    "sig=",
    "signature=",
    "keyid=",
    "@tcp(",
    "@unix(",
)
"""One of these, in lower case, is in every text in which a secret is found here; or there is a URL
with an `@`, or as many digits in a row as a card has."""


def without_known(text: str) -> str:
    """Return a text with what is a secret by its looks replaced."""
    for expression, replace in _RULES:
        text = expression.sub(replace, text)
    return text


def _scheme(found: re.Match[str]) -> str:
    """Replace what stands behind the name of an authorization scheme, unless it is a word."""
    scheme, space, value = found.groups()
    if scheme.lower() == "basic":
        is_secret = _is_pair(value)
    else:
        shortest = _SHORTEST_TOKEN if scheme.lower() == "token" else 0
        has_digit = any(map(str.isdigit, value)) and not value.isdigit() and len(value) >= shortest
        is_secret = (has_digit or len(value) >= _LONGEST_WORD) and "=" not in value[:-2]
    return f"{scheme}{space}{REDACTED}" if is_secret else found[0]


def _is_pair(value: str) -> bool:
    """Return whether a text is base64 of a user and a password."""
    try:
        return ":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except ValueError:
        return False


def _card(found: re.Match[str]) -> str:
    return REDACTED if is_card_number(found[0]) else found[0]


_RULES: Final[tuple[tuple[re.Pattern[str], str | _Replace], ...]] = (
    (_USER_AND_PASSWORD, REDACTED),
    (_DRIVER_ADDRESS, REDACTED),
    (_SCHEME, _scheme),
    (_JSON_TOKEN, REDACTED),
    (_TOKENS, REDACTED),
    (_HOOK, rf"\1{REDACTED}"),
    (_SIGNATURE, rf"\1{REDACTED}"),
    (CARD_NUMBER, _card),
)
