"""How messages quote what they are about."""

from __future__ import annotations

import pytest

from otel_flight.ground.quoting import common_start, shown, without_secrets


def test_a_value_that_cannot_be_printed_does_not_hide_the_message() -> None:
    """A value whose own repr fails is named by its type."""

    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Unprintable()) == "<unprintable Unprintable>"


def test_what_names_have_in_common() -> None:
    """No more than all of them begin with; of no names it is nothing."""
    assert common_start(["A_BC", "A_BD", "A_C"]) == "A_"
    assert common_start(["A", "A"]) == "A"
    assert common_start(["A", "B"]) == ""
    assert common_start([]) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "InvalidSchema: No connection adapters were found for 'user:s3cret@c:4318/v1/traces'",
            "InvalidSchema: No connection adapters were found for 'c:4318/v1/traces'",
        ),
        (
            "Max retries exceeded with url: /v1/traces?key=s3cret (Caused by NewConnectionError)",
            "Max retries exceeded with url: /v1/traces (Caused by NewConnectionError)",
        ),
        (
            "DNS resolution failed for user:s3cret@c:4317: no such name",
            "DNS resolution failed for c:4317: no such name",
        ),
        ("cannot parse https://user:s3cret@c/x?s3cret, sorry", "cannot parse https://c/x sorry"),
        ("may I? 12:30 is @ noon", "may I? 12:30 is @ noon"),
        ("tenant a@b.example unknown", "tenant a@b.example unknown"),
    ],
)
def test_secrets_are_taken_out_of_messages(text: str, expected: str) -> None:
    """What is no endpoint stays as it is."""
    assert without_secrets(text) == expected


def test_a_value_is_quoted_without_secrets() -> None:
    """As where an endpoint is no setting's, for want of a scheme."""
    assert shown("user:s3cret@c:4317") == "'c:4317'"
