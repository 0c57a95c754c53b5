"""How messages quote what they are about."""

from __future__ import annotations

from otel_flight.quoting import common_start, shown


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
