"""`force_flush` delivers what is open, within its time, and says what became of it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight import FlightRecorder, FlightSpanProcessor
from otel_flight.ground.clock import monotonic_ns
from otel_flight.incidents.spool.spool import Spool

FLUSH_MILLIS = 20_000


class Service:
    """A provider with a recorder that delivers into memory, or to an endpoint."""

    def __init__(self, endpoint: str = "") -> None:
        self.exporter = InMemorySpanExporter()
        self.recorder = FlightRecorder(
            exporter=None if endpoint else self.exporter,
            endpoint=endpoint or None,
            protocol="http/protobuf",
            tail_seconds=60.0,
            handle_sigterm=False,
            metrics=False,
        )
        self.processor = FlightSpanProcessor(self.recorder)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("service")

    def delivered(self) -> set[str]:
        """Return the names of the spans that have arrived."""
        return {span.name for span in self.exporter.get_finished_spans()}


@pytest.fixture
def service() -> Iterator[Service]:
    """A service whose backend takes everything."""
    service = Service()
    yield service
    service.provider.shutdown()


def test_what_is_open_is_delivered_before_it_returns(service: Service) -> None:
    """Without waiting for the tail, which would be a minute."""
    service.tracer.start_span("work").end()
    service.recorder.trigger("late")

    assert service.provider.force_flush(FLUSH_MILLIS)

    assert "work" in service.delivered()


def test_it_takes_no_time_where_nothing_is_open(service: Service) -> None:
    """It is called after each request where a process may be frozen then."""
    service.tracer.start_span("work").end()
    assert service.provider.force_flush(FLUSH_MILLIS)
    begun_ns = monotonic_ns()

    for _ in range(10):
        assert service.provider.force_flush(FLUSH_MILLIS)

    # A tick comes each tenth of a second, and each half where nothing happens.
    assert (monotonic_ns() - begun_ns) / 1e9 < 0.9


def test_a_backend_that_hangs_is_said_to_hang(tmp_path: Path) -> None:
    """It returns in time, with False; the incident stays in the spool."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = Service(f"http://127.0.0.1:{silent.getsockname()[1]}")
        service.tracer.start_span("work").end()
        service.recorder.trigger("late")
        begun_ns = monotonic_ns()

        assert not service.provider.force_flush(1500)

        assert 1 < (monotonic_ns() - begun_ns) / 1e9 < 5
    service.provider.shutdown()
    (entry,) = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    assert not entry.state.delivered


def test_a_backend_that_is_back_gets_what_it_did_not_take(service: Service) -> None:
    """The answer is about all incidents of the process, and a flush waits for no second attempt."""
    service.exporter.shutdown()
    service.tracer.start_span("work").end()
    service.recorder.trigger("late")
    assert not service.provider.force_flush(FLUSH_MILLIS)

    service.exporter._stopped = False

    assert service.provider.force_flush(FLUSH_MILLIS)
    assert "work" in service.delivered()


def test_before_the_first_span_and_after_the_end_there_is_nothing_to_do(service: Service) -> None:
    """Nor does it begin a recording."""
    assert service.processor.force_flush()
    assert service.recorder._runs.current is None
    service.tracer.start_span("work").end()
    service.provider.shutdown()

    assert service.processor.force_flush()


def test_a_thread_of_ours_does_not_wait_for_itself(service: Service) -> None:
    """A finalizer, say, may run there: it returns at once, and says that nothing was waited for."""
    service.tracer.start_span("work").end()
    run = service.recorder._run
    assert run is not None
    answers: list[bool] = []
    done = threading.Event()

    def flush() -> None:
        answers.append(service.provider.force_flush(FLUSH_MILLIS))
        if len(answers) == 2:
            done.set()

    run._ticker.after_tick(flush)
    run.worker.submit(flush)

    assert done.wait(5)
    assert answers == [False, False]


def test_a_signal_handler_that_interrupts_us_does_not_wait_for_us(service: Service) -> None:
    """The interrupted thread has a lock that the worker needs."""
    service.tracer.start_span("work").end()
    run = service.recorder._run
    assert run is not None
    answers: list[tuple[bool, float]] = []

    def handle(number: int, frame: FrameType | None) -> None:
        begun_ns = monotonic_ns()
        answer = service.provider.force_flush(FLUSH_MILLIS)
        answers.append((answer, (monotonic_ns() - begun_ns) / 1e9))

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with run.worker._changed:
            os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    (held, held_seconds), (free, _) = answers
    assert (held, free) == (False, True)
    assert held_seconds < 5
