"""What a signal handler raises while a light span starts or ends reaches the program."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from threading import get_ident
from time import monotonic_ns
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

import otel_flight
from otel_flight.recording.light.compiled_span import COMPILED

QUIET: dict[str, Any] = {"tail_seconds": 0, "export": "off", "cooldown_seconds": 0}


class InterruptError(Exception):
    """What the handler raises; a plain exception, as that of a job's time limit is."""


def _raise(*_: object) -> None:
    raise InterruptError


def _raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def recorder(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """Return a recorder whose spans are light ones, and a tracer that has made one."""
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = otel_flight.install(
        tracer_provider=provider, light_spans=request.param, slow_root_seconds=0.001, **QUIET
    )
    recorder.start()
    tracer = provider.get_tracer("test")
    tracer.start_span("first").end()
    before = signal.getsignal(signal.SIGUSR1)
    yield recorder, tracer
    signal.signal(signal.SIGUSR1, before)
    otel_flight.uninstall()


KINDS = [
    "python",
    pytest.param("auto", marks=pytest.mark.skipif(COMPILED is None, reason="is not built")),
]


@pytest.mark.parametrize("recorder", KINDS, indirect=True)
@pytest.mark.parametrize("handler", [_raise, _raise_interrupt])
def test_the_end_of_a_root_lets_it_through(recorder: tuple[Any, Any], handler: Any) -> None:
    """The triggers run Python code: a handler that runs there raises into the program."""
    ours, tracer = recorder
    signal.signal(signal.SIGUSR1, handler)
    processor = tracer._switch.recorder
    root_end = processor._root_end

    def interrupted(span: Any, root: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)
        root_end(span, root)

    processor._root_end = interrupted
    span = tracer.start_span("root")

    with pytest.raises((InterruptError, KeyboardInterrupt)):
        span.end()

    assert not span.is_recording()
    assert ours.statistics().errors == ()


@pytest.mark.parametrize("recorder", KINDS, indirect=True)
@pytest.mark.parametrize("handler", [_raise, _raise_interrupt])
def test_the_start_of_a_root_lets_it_through(recorder: tuple[Any, Any], handler: Any) -> None:
    """So does the code that looks which task it is."""
    ours, tracer = recorder
    signal.signal(signal.SIGUSR1, handler)
    processor = tracer._switch.recorder

    def interrupted() -> None:
        signal.raise_signal(signal.SIGUSR1)

    processor._current_task = interrupted

    with pytest.raises((InterruptError, KeyboardInterrupt)):
        tracer.start_span("root")

    assert ours.statistics().errors == ()


@pytest.mark.parametrize("recorder", KINDS, indirect=True)
def test_what_fails_inside_is_counted(recorder: tuple[Any, Any]) -> None:
    """An error of the recorder is its own affair: the span goes on."""
    ours, tracer = recorder
    processor = tracer._switch.recorder

    def failing(*_: object) -> None:
        raise ValueError

    processor._root_end = processor._current_task = failing
    span = tracer.start_span("root")
    span.set_attribute("a", 1)
    span.end()

    assert {(error.place, error.count) for error in ours.statistics().errors} == {
        ("on_start", 1),
        ("on_end", 1),
    }


@pytest.mark.parametrize("recorder", KINDS, indirect=True)
def test_the_task_of_a_root_is_known(recorder: tuple[Any, Any]) -> None:
    """A root that starts in a task refers to it, and one outside to none; both know since when."""
    _, tracer = recorder
    roots = tracer._switch.recorder._roots

    async def main() -> bool:
        span = tracer.start_span("in a task")
        _, _, task, _ = roots[span.get_span_context().span_id]
        span.end()
        return task() is asyncio.current_task()

    before_ns = monotonic_ns()
    outside = tracer.start_span("outside")

    assert asyncio.run(main())
    span, thread_id, task, start_ns = roots[outside.get_span_context().span_id]
    assert (span, thread_id, task) == (outside, get_ident(), None)
    assert before_ns <= start_ns <= monotonic_ns()


@pytest.mark.parametrize("recorder", KINDS, indirect=True)
def test_the_greenlet_of_a_root_is_known(recorder: tuple[Any, Any]) -> None:
    """A root that starts in a greenlet refers to it, weakly."""
    greenlet = pytest.importorskip("greenlet")
    _, tracer = recorder
    roots = tracer._switch.recorder._roots
    span = None

    def serve() -> None:
        nonlocal span
        span = tracer.start_span("in a greenlet")

    own = greenlet.greenlet(serve)
    own.switch()

    assert span is not None
    assert roots[span.get_span_context().span_id][2]() is own
