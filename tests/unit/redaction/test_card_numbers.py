"""Which numbers are those of payment cards."""

from __future__ import annotations

import pytest

from otel_flight.redaction.card_numbers import has_check_digit, is_card_number
from tests.support.spans.secret_corpus import card_number


@pytest.mark.parametrize(
    ("start", "length"),
    [("4", 16), ("4", 19), ("51", 16), ("2720", 16), ("34", 15), ("300", 14), ("6011", 16)],
)
def test_a_card(start: str, length: int) -> None:
    """By its issuer, its length and its check digit; in groups, too."""
    digits = card_number(start, length)

    assert is_card_number(digits)
    assert is_card_number(f"{digits[:4]} {digits[4:]}")
    assert not is_card_number(digits[:-1] + str((int(digits[-1]) + 1) % 10))


@pytest.mark.parametrize("digits", ["1700000000000000000", "4111", "9999999999999995", "0" * 16])
def test_another_number(digits: str) -> None:
    """A time in nanoseconds, a short one, and one that no issuer has."""
    assert not is_card_number(digits)


def test_the_check_digit_is_that_of_luhn() -> None:
    """The number of every example."""
    assert has_check_digit("4111111111111111")
    assert not has_check_digit("4111111111111112")
