"""Where an exception comes from, as a formatted traceback tells."""

from __future__ import annotations

import builtins
import json
import sys
import traceback
from collections.abc import Callable

import pytest

from otel_flight.triggers.outcomes.traceback_text import Origin, origin_of

FAKE = 'Traceback (most recent call last):\n  File "/app/evil.py", line 1, in evil\nEvilError'


def read(function: Callable[[], object]) -> Origin:
    """Return what is told of the exception that leaves a function."""
    try:
        function()
    except BaseException:  # noqa: BLE001
        return origin_of(traceback.format_exc())
    raise AssertionError


def missing() -> None:
    """Raise."""
    raise KeyError("order")


def wrapped() -> None:
    """Raise because of another exception, with a traceback in the message."""
    try:
        missing()
    except KeyError as error:
        raise ValueError(FAKE) from error


def in_library() -> None:
    """Let a library raise."""
    json.loads("{")


def through_library() -> None:
    """Let a library raise because of an exception of a library."""
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("not JSON") from error


def lying() -> None:
    """Raise with a traceback in the message."""
    raise ValueError(f"\n{FAKE}")


@pytest.mark.parametrize(
    ("function", "kind", "place"),
    [
        (missing, "KeyError", "missing"),
        (wrapped, "KeyError", "missing"),
        (in_library, "json.decoder.JSONDecodeError", "in_library"),
        (through_library, "json.decoder.JSONDecodeError", "through_library"),
        (lying, "ValueError", "lying"),
    ],
)
def test_the_innermost_exception_is_found_with_the_applications_own_place(
    function: Callable[[], object], kind: str, place: str
) -> None:
    """Whatever was raised from it, wherever it was raised in a library, whatever it says."""
    origin = read(function)

    assert origin.kind == kind
    file, _, where = origin.location.rpartition(":")
    assert file == __file__
    assert where.endswith(f" in {place}")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are new in Python 3.11")
def test_the_first_member_of_a_group_is_found() -> None:
    """Also in a group within the group, and when it was never raised itself."""
    members: list[Exception] = []
    for function in (wrapped, lying):
        try:
            function()
        except ValueError as error:
            members.append(error)
    never_raised = TypeError("no")

    def fail(*inner: Exception) -> None:
        group = vars(builtins)["ExceptionGroup"]
        raise group("tasks", [group("inner", [*inner]), members[1]])

    raised = read(lambda: fail(members[0], never_raised))
    assert raised.kind == "KeyError"
    assert raised.location.endswith(" in missing")
    assert read(lambda: fail(never_raised)) == Origin("TypeError")


@pytest.mark.parametrize(
    "text",
    [
        "",
        '  File "',
        "no traceback",
        "Traceback (most recent call last):\n",
        "x" * 1_000_000,
        "\udcff" * 1000,
        "  +-+---------------- 1 ----------------\n" * 1000,
    ],
)
def test_odd_texts_say_nothing(text: str) -> None:
    """Whatever somebody recorded."""
    assert origin_of(text) == Origin()


def test_a_long_traceback_is_read_from_its_beginning() -> None:
    """The rest of what somebody repeats for ever says nothing."""
    frame = '  File "/app/shop.py", line 7, in load\n    load()\n'
    text = f"Traceback (most recent call last):\n{frame * 100_000}ValueError\n"

    assert origin_of(text).location == "/app/shop.py:7 in load"
