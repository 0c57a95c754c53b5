"""The trigger that listens for a signal."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from otel_flight.triggers.gate.firing import FiringInbox
from otel_flight.triggers.signal_request import SignalTrigger


@pytest.fixture(autouse=True)
def handler_before() -> Iterator[list[int]]:
    """The host's handler for SIGUSR2, which notes its calls; restored afterwards."""
    calls: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        calls.append(number)

    before = signal.signal(signal.SIGUSR2, note)
    yield calls
    signal.signal(signal.SIGUSR2, before)


def receive() -> None:
    """Send ourselves the signal, and let its handler run."""
    os.kill(os.getpid(), signal.SIGUSR2)


def test_a_signal_fires_and_reaches_the_handler_before(handler_before: list[int]) -> None:
    """The host notices nothing."""
    inbox = FiringInbox()
    trigger = SignalTrigger("SIGUSR2", inbox)
    trigger.start()
    receive()
    trigger.stop()

    (firing,) = inbox.take_all()
    assert (firing.trigger, firing.reason) == ("signal", "signal SIGUSR2")
    assert handler_before == [signal.SIGUSR2]


def test_start_and_stop_may_be_called_again(handler_before: list[int]) -> None:
    """One start is one handler, however often it is called, and a stop gives back the host's."""
    host = signal.getsignal(signal.SIGUSR2)
    inbox = FiringInbox()
    trigger = SignalTrigger("SIGUSR2", inbox)
    trigger.stop()
    trigger.start()
    trigger.start()
    receive()
    trigger.stop()
    trigger.stop()

    assert signal.getsignal(signal.SIGUSR2) is host
    receive()
    assert len(inbox.take_all()) == 1
    assert inbox.repeated == 0
    assert len(handler_before) == 2


def test_without_a_handler_before_the_signal_only_fires() -> None:
    """Its default, which would end the process, is what the user has asked us to replace."""
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    inbox = FiringInbox()
    trigger = SignalTrigger("SIGUSR2", inbox)
    trigger.start()
    receive()
    trigger.stop()

    assert len(inbox.take_all()) == 1
    assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL


def test_a_handler_installed_later_is_not_taken_away() -> None:
    """It may have chained ours; stopping leaves it, and ours only passes signals on."""
    inbox = FiringInbox()
    trigger = SignalTrigger("SIGUSR2", inbox)
    trigger.start()
    ours: Any = signal.getsignal(signal.SIGUSR2)

    def later(number: int, frame: FrameType | None) -> None:
        ours(number, frame)

    signal.signal(signal.SIGUSR2, later)
    trigger.stop()

    assert signal.getsignal(signal.SIGUSR2) is later
    receive()
    assert inbox.take_all() == []


def test_another_thread_cannot_listen(caplog: pytest.LogCaptureFixture) -> None:
    """Python lets the main thread only; a warning says so, and nothing is raised."""
    host = signal.getsignal(signal.SIGUSR2)
    trigger = SignalTrigger("SIGUSR2", FiringInbox())
    thread = threading.Thread(target=trigger.start)
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGUSR2) is host
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "SIGUSR2" in caplog.messages[0]


def test_a_stop_by_another_thread_silences_it(handler_before: list[int]) -> None:
    """The handler cannot be taken out there, but it no longer fires."""
    inbox = FiringInbox()
    trigger = SignalTrigger("SIGUSR2", inbox)
    trigger.start()
    thread = threading.Thread(target=trigger.stop)
    thread.start()
    thread.join()
    receive()

    assert inbox.take_all() == []
    assert handler_before == [signal.SIGUSR2]


def test_a_signal_that_nobody_can_listen_for_is_said_to_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The trigger is off, and the host starts."""
    SignalTrigger("SIGKILL", FiringInbox()).start()

    assert "cannot listen for SIGKILL" in caplog.messages[0]


def test_an_error_of_the_handler_before_is_the_hosts() -> None:
    """It would have been raised without us."""

    class HostError(Exception):
        pass

    def fail(number: int, frame: FrameType | None) -> None:
        raise HostError

    signal.signal(signal.SIGUSR2, fail)
    trigger = SignalTrigger("SIGUSR2", FiringInbox())
    trigger.start()
    with pytest.raises(HostError):
        receive()
    trigger.stop()
