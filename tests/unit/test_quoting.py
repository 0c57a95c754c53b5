"""How messages quote what they are about."""

from __future__ import annotations

from otel_flight.quoting import shown


def test_a_value_that_cannot_be_printed_does_not_hide_the_message() -> None:
    """A value whose own repr fails is named by its type."""

    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Unprintable()) == "<unprintable Unprintable>"
