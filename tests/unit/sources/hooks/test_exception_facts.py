"""What is kept of an exception."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from json import JSONDecodeError
from types import CodeType
from typing import NoReturn

import pytest

from otel_flight.names.exception_attributes import CHAIN
from otel_flight.recording.encoding.stack_table import MOST_FRAMES
from otel_flight.sources.hooks.exception_facts import (
    LONGEST_MESSAGE,
    exception_attributes,
    message_of,
    place_attributes,
    traceback_places,
    type_name,
)


def raise_it(error: BaseException) -> NoReturn:
    """Raise, at a line that a test can name."""
    raise error


def raised(error: BaseException) -> BaseException:
    """Return an exception that was raised, with its traceback."""
    try:
        raise_it(error)
    except BaseException as caught:  # noqa: BLE001
        return caught


def recurse(depth: int) -> None:
    """Fail so many calls down."""
    if not depth:
        message = "bottom"
        raise ValueError(message)
    recurse(depth - 1)


class Hostile(Exception):  # noqa: N818
    """Cannot be turned into text, and counts the attempts."""

    attempts = 0

    def __str__(self) -> str:
        Hostile.attempts += 1
        raise RuntimeError

    __repr__ = __str__


def test_type_and_message_are_as_in_spans() -> None:
    """The module stands before the name unless the type is built in."""
    assert type_name(KeyError) == "KeyError"
    assert type_name(JSONDecodeError) == "json.decoder.JSONDecodeError"
    assert exception_attributes(raised(KeyError("x"))) == {
        "exception.type": "KeyError",
        "exception.message": "'x'",
    }


def test_the_innermost_place_is_where_it_was_raised() -> None:
    """As attributes of the semantic conventions."""
    places = traceback_places(raised(KeyError("x")).__traceback__)

    assert place_attributes(places) == {
        "code.function.name": "raise_it",
        "code.file.path": __file__,
        "code.line.number": raise_it.__code__.co_firstlineno + 2,
    }
    assert [where.co_name for where, _ in places if isinstance(where, CodeType)] == [
        "raised",
        "raise_it",
    ]
    assert place_attributes([]) == {}


def wrapped_explicitly() -> None:
    """Raise one exception from another."""
    try:
        raise_it(KeyError("x"))
    except KeyError as error:
        raise RuntimeError("query failed") from error


def wrapped_by_accident() -> None:
    """Fail while handling a failure."""
    try:
        raise_it(KeyError("x"))
    except KeyError:
        raise_it(RuntimeError("query failed"))


def hidden() -> None:
    """Say that the first exception is none of the reader's business."""
    try:
        raise_it(KeyError("x"))
    except KeyError:
        raise RuntimeError("query failed") from None


def failure_of(function: Callable[[], None]) -> BaseException:
    """Return what a function raises."""
    try:
        function()
    except Exception as error:  # noqa: BLE001
        return error
    pytest.fail("it did not raise")


@pytest.mark.parametrize("function", [wrapped_explicitly, wrapped_by_accident])
def test_a_chain_names_what_came_first(function: Callable[[], None]) -> None:
    """With its message and place, whether it was wrapped or only followed."""
    attributes = exception_attributes(failure_of(function))

    line = raise_it.__code__.co_firstlineno + 2
    assert attributes["exception.type"] == "RuntimeError"
    assert attributes[CHAIN] == [f"KeyError: 'x' in raise_it ({__file__}:{line})"]


def test_a_hidden_context_is_no_chain() -> None:
    """`from None` is respected."""
    assert CHAIN not in exception_attributes(failure_of(hidden))


def test_a_chain_in_a_circle_ends() -> None:
    """Each exception is named once, and not many of them."""
    first, second = ValueError(1), ValueError(2)
    first.__cause__, second.__cause__ = second, first
    long = error = ValueError(0)
    for number in range(1, 100):
        error.__cause__ = ValueError(number)
        error = error.__cause__

    assert exception_attributes(first)[CHAIN] == ["ValueError: 2"]
    assert len(exception_attributes(long)[CHAIN]) == 8


def test_a_long_traceback_keeps_both_ends() -> None:
    """The middle is counted, so that a recursion without end does not fill the lane."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 2000))
    error = failure_of(lambda: recurse(500))

    places = traceback_places(error.__traceback__)

    assert len(places) == MOST_FRAMES
    assert [where for where, _ in places if isinstance(where, str)] == ["(440 frames left out)"]
    assert places[-1][1] == recurse.__code__.co_firstlineno + 4


def test_a_message_that_fails_is_said_to() -> None:
    """Nothing of an exception's own `__str__` gets out."""
    assert message_of(Hostile()) == "<no message: RuntimeError>"


def test_without_running_code_only_plain_arguments_are_shown() -> None:
    """Within a garbage collection no `__str__` of the application runs."""
    Hostile.attempts = 0

    attributes = exception_attributes(Hostile("text", 5, object(), Hostile()), runs_code=False)

    assert attributes["exception.message"] == "text, 5, <object>, <Hostile>"
    assert Hostile.attempts == 0


def test_messages_are_bounded() -> None:
    """However long they are."""
    error = ValueError("x" * 10_000_000)
    assert len(message_of(error)) == LONGEST_MESSAGE
    assert len(message_of(error, runs_code=False)) == LONGEST_MESSAGE


def test_nothing_is_kept_alive() -> None:
    """Neither the exception nor what its frames hold."""

    class Held:
        pass

    def fail() -> None:
        held = Held()
        references.append(weakref.ref(held))
        raise KeyError("x")

    references: list[weakref.ref[Held]] = []
    error = failure_of(fail)
    kept = exception_attributes(error), traceback_places(error.__traceback__)

    del error
    gc.collect()

    assert kept
    assert references[0]() is None
