"""Tests of an application, one of which is slow, and one fails; some stop the clock."""

from __future__ import annotations

import datetime
import logging
import threading
import time
import warnings

import pytest
from freezegun import freeze_time
from opentelemetry import trace

tracer = trace.get_tracer("orders")


@pytest.mark.parametrize("number", range(10))
def test_an_order(number: int) -> None:
    """A test that passes."""
    with tracer.start_as_current_span("order", attributes={"number": number}):
        time.sleep(0.005)


def test_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    """A log record is captured, with its place."""
    with tracer.start_as_current_span("log"):
        logging.getLogger("orders").warning("low stock")

    (record,) = caplog.records
    assert (record.filename, record.funcName) == ("orders_tests.py", "test_a_log_record")


def test_a_warning() -> None:
    """A warning is an error, and caught."""
    with tracer.start_as_current_span("warn"), pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=2)


def test_threads() -> None:
    """There are no threads but the test's own."""
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]


@freeze_time("2012-01-14 03:21:34")
def test_a_stopped_clock() -> None:
    """Time stands still, and spans are made all the same."""
    with tracer.start_as_current_span("stopped"):
        assert datetime.datetime.now() == datetime.datetime(2012, 1, 14, 3, 21, 34)  # noqa: DTZ001, DTZ005


def test_slow() -> None:
    """A test that is slow."""
    with tracer.start_as_current_span("slow"):
        time.sleep(1.5)


@freeze_time("2012-01-14 03:21:34")
def test_fail() -> None:
    """A test that fails, while the clock stands."""
    with tracer.start_as_current_span("fail"):
        raise KeyError("pear")


def test_after_the_failure() -> None:
    """A test that passes, for longer than an incident stays open."""
    with tracer.start_as_current_span("after"):
        time.sleep(0.5)
