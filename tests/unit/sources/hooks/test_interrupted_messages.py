"""What a signal handler raises while the application makes a message reaches the program."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator

import pytest

from otel_flight.sources.hooks import exception_facts, log_tap


class LimitError(Exception):
    """What the handler raises: a plain exception, as Celery's time limit for a task is."""


class SlowError(Exception):
    """A text of it takes as long as a task may run."""

    def __str__(self) -> str:
        """Make the handler run."""
        signal.raise_signal(signal.SIGUSR1)
        return "slow"


def _strike(*_: object) -> None:
    raise LimitError


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Raise it at that signal."""
    before = signal.signal(signal.SIGUSR1, _strike)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    "make_message",
    [
        pytest.param(lambda: exception_facts.message_of(SlowError()), id="of-an-exception"),
        pytest.param(
            lambda: log_tap.message_of(logging.makeLogRecord({"msg": SlowError()})),
            id="of-a-log-record",
        ),
    ],
)
def test_a_time_limit_strikes_while_a_message_is_made(make_message: Callable[[], str]) -> None:
    """It ends the task, as it would without us."""
    with pytest.raises(LimitError):
        make_message()
