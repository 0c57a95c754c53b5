"""The application's functions in a stack, as findings name them."""

from __future__ import annotations

from otel_flight.incidents.evidence.failures.raised import Raised, first_raised
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.records.records import Frame

_APP = "/srv/shop/app.py"


def test_a_generator_expression_is_one_frame_with_its_function() -> None:
    """Its line is kept: there the work is."""
    frames = [Frame("total", _APP, 8), Frame("total.<locals>.<genexpr>", _APP, 9)]

    assert application_frames(frames) == [Frame("total", _APP, 9)]


def test_a_lambda_that_others_call_is_told_by_its_function() -> None:
    """It stands in a function that may have returned."""
    frames = [Frame("run", _APP, 20), Frame("plan.<locals>.<lambda>", _APP, 9)]

    assert application_frames(frames) == [Frame("run", _APP, 20), Frame("plan", _APP, 9)]


def test_without_qualified_names_the_line_tells_where_an_expression_stands() -> None:
    """Another function may go through what it makes."""
    frames = [Frame("total", _APP, 8), Frame("add_all", _APP, 3), Frame("<genexpr>", _APP, 9)]

    assert application_frames(frames)[-1] == Frame("total", _APP, 9)


def test_what_stands_far_from_any_function_keeps_its_name() -> None:
    """A lambda of a module, say; and one of another file."""
    for outer in (Frame("total", _APP, 80), Frame("total", _APP, 2), Frame("total", "/x.py", 19)):
        assert application_frames([outer, Frame("<lambda>", _APP, 20)])[-1].function == "<lambda>"


def test_a_traceback_that_ends_in_an_expression_names_its_function() -> None:
    """A traceback has no qualified names."""
    lines = [
        "Traceback (most recent call last):",
        f'  File "{_APP}", line 9, in total_of',
        f'  File "{_APP}", line 9, in <genexpr>',
        "RecursionError: too deep",
    ]

    first = first_raised(Raised("RecursionError", "too deep", "\n".join(lines)))

    assert first.place == "app.py:9 in total_of"
