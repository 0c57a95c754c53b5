"""Whoever looks at the stack to tell who logged finds the caller, not us."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from otel_flight.sources.log_records import SOURCE
from tests.support.rigs.source_rig import SourceRig

HERE = Path(__file__).name


class Catching(logging.Handler):
    """Does with each record what it is told to; an error is the test's."""

    def __init__(self, do: Any) -> None:
        super().__init__()
        self._do = do
        self.found: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Do it, and keep the answer."""
        self.found.append(self._do(record))


@pytest.fixture(autouse=True)
def source(tmp_path: Path) -> Iterator[SourceRig]:
    """Record what is logged, meanwhile."""
    with SourceRig(tmp_path / "ring", log_level="INFO") as rig:
        source = rig.build(SOURCE)
        source.start()
        yield rig
        source.stop()


def log_to(handler: logging.Handler, **options: Any) -> None:
    """Log once, through one handler: this is the function that the tests look for."""
    logger = logging.Logger("shop")  # noqa: LOG001  (of no hierarchy)
    logger.addHandler(handler)
    logger.warning("out of stock", **options)


def walk_out(is_logging: Any) -> str:
    """Return the function that called into logging, as walking out of it finds it."""
    frame: FrameType | None = sys._getframe(3)  # of the test's own handler, its caller
    while frame is not None and is_logging(frame):
        frame = frame.f_back
    assert frame is not None
    return frame.f_code.co_name


@pytest.mark.parametrize(
    "is_logging",
    [
        pytest.param(lambda frame: frame.f_code.co_filename == logging.__file__, id="by-the-file"),
        pytest.param(lambda frame: frame.f_globals["__name__"] == "logging", id="by-the-module"),
    ],
)
def test_walking_out_of_logging(is_logging: Any) -> None:
    """By the file of its frames, or by the name of their module, as structlog and loguru do."""
    handler = Catching(lambda _: walk_out(is_logging))

    log_to(handler)

    assert handler.found == ["log_to"]


@pytest.mark.parametrize("level", [1, 2])
def test_the_callers_own_stacklevel(level: int) -> None:
    """The record says what it says without us."""
    handler = Catching(lambda record: (record.filename, record.funcName))

    log_to(handler, stacklevel=level)

    function = "log_to" if level == 1 else "test_the_callers_own_stacklevel"
    assert handler.found == [(HERE, function)]


def test_structlog() -> None:
    """Its call-site adder names the application's function."""
    structlog = pytest.importorskip("structlog")
    parameters = structlog.processors.CallsiteParameter
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.processors.CallsiteParameterAdder(
                {parameters.FILENAME, parameters.FUNC_NAME}
            ),
            structlog.processors.JSONRenderer(default=str),
        ],
        foreign_pre_chain=[],
    )
    handler = Catching(formatter.format)

    log_to(handler)

    (line,) = handler.found
    assert {"filename": HERE, "func_name": "log_to"}.items() <= json.loads(line).items()


def test_loguru() -> None:
    """The handler of its documentation hands the application's function on."""
    loguru = pytest.importorskip("loguru")
    lines: list[str] = []

    class Intercept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            frame: FrameType | None = logging.currentframe()
            depth = 0
            while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
                frame = frame.f_back
                depth += 1
            loguru.logger.opt(depth=depth).log("INFO", record.getMessage())

    loguru.logger.remove()
    sink = loguru.logger.add(lines.append, format="{file}:{function}")

    log_to(Intercept())

    loguru.logger.remove(sink)
    assert [str(line).strip() for line in lines] == [f"{HERE}:log_to"]


def test_what_logging_is_to_anyone_else() -> None:
    """The method has the name, module and documentation that it had."""
    method = logging.Logger.callHandlers

    assert (method.__name__, method.__module__) == ("callHandlers", "logging")
    assert "Pass a record to all relevant handlers" in (method.__doc__ or "")
    assert method.__code__.co_filename == logging.__file__


def test_a_warning_of_a_handler_names_its_place() -> None:
    """A warning that a handler gives is about the handler, as far as it says no more."""

    def warn(_: logging.LogRecord) -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    with pytest.warns(DeprecationWarning, match="old") as caught:
        log_to(Catching(warn))

    assert caught[0].filename == __file__
