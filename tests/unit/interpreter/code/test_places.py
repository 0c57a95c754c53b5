"""A place has a line of its function, and a function that can be named."""

from __future__ import annotations

import dis

import pytest

from otel_flight.interpreter.code.places import enclosing_function, line_before


def matches(first: list[int], second: list[int]) -> int:
    """Have loops whose jumps back have no line on some Pythons."""
    found = 0
    for one in first:
        for other in second:
            if one == other:
                found += one
    return found


def test_each_instruction_has_a_line_of_its_function() -> None:
    """Also the jumps that the compiler put in; where there is a line it is that one."""
    code = matches.__code__
    last = max(line for _, _, line in code.co_lines() if line)

    for instruction in dis.get_instructions(code):
        line = line_before(code, instruction.offset)
        own = [each for start, end, each in code.co_lines() if start <= instruction.offset < end]

        assert code.co_firstlineno <= line <= last
        assert own[0] in (line, None)


@pytest.mark.parametrize(
    ("name", "enclosing"),
    [
        ("total.<locals>.<genexpr>", "total"),
        ("Shop.total.<locals>.<lambda>.<locals>.<listcomp>", "Shop.total"),
        ("total.<locals>.add", "total.<locals>.add"),
        ("total.<locals>.<lambda>.<locals>.add", "total.<locals>.<lambda>.<locals>.add"),
        ("Shop.<lambda>", "Shop.<lambda>"),
        ("<module>", "<module>"),
        ("", ""),
    ],
)
def test_what_has_no_name_is_told_by_what_it_stands_in(name: str, enclosing: str) -> None:
    """As far as its qualified name says that; what has a name keeps it."""
    assert enclosing_function(name) == enclosing
