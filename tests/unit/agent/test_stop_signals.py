"""A signal to stop is waited for, and then leaves things as they were."""

from __future__ import annotations

import os
import signal

import pytest

from otel_flight.agent.stop_signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    """Also one that came before it; a second one would kill."""
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert not stop.wait(0)

        os.kill(os.getpid(), number)

        assert stop.wait(60)
        assert stop.wait(60)
        assert signal.getsignal(number) is signal.SIG_DFL
    assert signal.getsignal(number) is before
