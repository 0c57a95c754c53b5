"""Which numbers are those of payment cards: by their issuer, their length and their check digit."""

from __future__ import annotations

import re
from typing import Final

CARD_NUMBER: Final = re.compile(
    r"(?<![\w.+-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}"
    r"|\d{14,19})(?![\w-]|\.\d)",
    re.ASCII,
)
"""It finds what may be one: in groups, or its digits alone."""
_ISSUERS: Final = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14}",  # UnionPay
    re.ASCII,
)


def is_card_number(text: str) -> bool:
    """Return whether a text of digits, spaces and dashes is the number of a payment card."""
    digits = text.replace(" ", "").replace("-", "")
    return _ISSUERS.fullmatch(digits) is not None and has_check_digit(digits)


def has_check_digit(digits: str) -> bool:
    """Return whether the last digit is the one that Luhn's formula makes of the others."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[::-2]))) % 10 == 0
