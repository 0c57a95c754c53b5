"""What loguru's documentation tells people to do with the standard library's logging.

These pass without the recorder; the engine runs them with it, too.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger


class InterceptHandler(logging.Handler):
    """Hands records of `logging` on to loguru, which then names the caller's place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Walk out of `logging` as the documentation does it."""
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame = frame.f_back
            depth += 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, record.getMessage())


class PropagateHandler(logging.Handler):
    """Hands loguru's records on to `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Let the logger of that name handle the record."""
        logging.getLogger(record.name).handle(record)


@pytest.fixture
def messages() -> Iterator[list[Any]]:
    """What loguru's sink is given."""
    found: list[Any] = []
    logger.remove()
    sink = logger.add(found.append, level=0, format="{message}")
    yield found
    logger.remove(sink)


@pytest.fixture
def own_root() -> Iterator[logging.Logger]:
    """A root logger without handlers, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(0)
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("method", ["debug", "info", "warning", "error", "critical"])
def test_an_intercepted_record_names_its_place(
    messages: list[Any], own_root: logging.Logger, method: str
) -> None:
    """A record of the standard library reaches loguru with the function that logged it."""
    own_root.addHandler(InterceptHandler())

    getattr(logging.getLogger("some.library"), method)("hello %s", "you")

    assert [each.record["message"] for each in messages] == ["hello you"]
    assert messages[0].record["function"] == "test_an_intercepted_record_names_its_place"
    assert messages[0].record["name"] == __name__


def test_an_intercepted_exception_names_its_place(
    messages: list[Any], own_root: logging.Logger
) -> None:
    """So does one with an exception."""
    own_root.addHandler(InterceptHandler())

    try:
        raise KeyError("missing")
    except KeyError:
        logging.getLogger("some.library").exception("failed")

    assert messages[0].record["exception"].type is KeyError
    assert messages[0].record["function"] == "test_an_intercepted_exception_names_its_place"


def test_a_stack_level_is_counted_from_the_caller(own_root: logging.Logger) -> None:
    """`stacklevel` skips the frames that it says, and none of others."""
    places: list[str] = []
    own_root.addHandler(_Collecting(places))

    def wrapper() -> None:
        logging.getLogger("some.library").info("hello", stacklevel=2)

    wrapper()

    assert places == ["test_a_stack_level_is_counted_from_the_caller"]


def test_a_propagated_record_is_handled_once(own_root: logging.Logger) -> None:
    """A record of loguru reaches the handlers of the standard library once, with its place."""
    places: list[str] = []
    own_root.addHandler(_Collecting(places))
    logger.remove()
    sink = logger.add(PropagateHandler(), format="{message}")

    logger.info("hello")

    logger.remove(sink)
    assert places == ["test_a_propagated_record_is_handled_once"]


def test_loguru_catches_and_names_the_place(messages: list[Any]) -> None:
    """Its decorator reports the exception of the function that it wraps, with its variables."""

    @logger.catch
    def divide(number: int, by: int) -> float:
        return number / by

    divide(1, 0)

    assert messages[0].record["exception"].type is ZeroDivisionError
    assert "test_loguru_catches_and_names_the_place" in messages[0].record["message"]


class _Collecting(logging.Handler):
    def __init__(self, places: list[str]) -> None:
        super().__init__()
        self._places = places

    def emit(self, record: logging.LogRecord) -> None:
        self._places.append(record.funcName)
