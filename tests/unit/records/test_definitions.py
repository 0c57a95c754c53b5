"""What a number stands for is found for long enough, and forgotten in time."""

from __future__ import annotations

import msgspec

from otel_flight.records.definitions import Definition, Definitions, encode_bounded


class Numbered(Definitions):
    """Defines any text."""

    def add(self, text: bytes) -> int:
        """Return the number of a text that was not there before."""
        self._begins_generation()
        number = self._next_number()
        self._put(Definition(number, text))
        return number


def test_a_definition_is_kept_until_as_many_came_after_it() -> None:
    """Records that wait in an overflow find theirs, and a program that never stops is bounded."""
    numbered = Numbered(10)
    numbers = [numbered.add(b"x") for _ in range(95)]

    known = [number for number in numbers if numbered.definition(number) is not None]
    assert known == numbers[-15:]
    assert numbered.definition(numbers[-1]) == Definition(numbers[-1], b"x", None)


def test_no_number_is_given_twice() -> None:
    """Zero is none: it stands for a record that refers to nothing."""
    numbered = Numbered(10)
    numbers = [numbered.add(b"x") for _ in range(50)]

    assert len({0, *numbers}) == 51


def test_values_that_msgpack_refuses_do_not_cost_the_definition() -> None:
    """Surrogates and huge numbers in a resource are converted."""
    data = encode_bounded(({"path": "\udcff", "n": 1 << 70},), 1000)

    assert msgspec.msgpack.decode(data) == [{"path": "\\udcff", "n": hex(1 << 70)}]
