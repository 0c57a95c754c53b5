"""What makes a span the current one, beside what the API and the SDK use for it."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import MethodType
from typing import Any, TypeVar

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight.recording.light import compiled_scope, current_span

Function = TypeVar("Function", bound=Callable[..., Any])
_THEIR_USE_SPAN = trace.use_span


class Side:
    """One of three programs: with what the SDK makes a span current, or with ours, also in C.

    Attributes:
        start: as `Tracer.start_as_current_span`.
        use: as `trace.use_span`.
    """

    def __init__(self, made_by: str) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("side")
        self.start: Any = self.tracer.start_as_current_span
        self.use: Any = _THEIR_USE_SPAN
        if made_by == "python":
            self.start, self.use = self._start, current_span.use_span
        elif made_by == "c":
            start = compiled_scope.START_AS_CURRENT_SPAN
            self.start = MethodType(start, self.tracer)
            self.use = compiled_scope.USE_SPAN

    def _start(self, name: str, **named: Any) -> Any:
        arguments = (
            name,
            named.get("context"),
            named.get("kind", trace.SpanKind.INTERNAL),
            named.get("attributes"),
            named.get("links", ()),
            named.get("start_time"),
            named.get("record_exception", True),
            named.get("set_status_on_exception", True),
        )
        return current_span.SpanScope(
            None, named.get("end_on_exit", True), *arguments[-2:], self.tracer, arguments
        )

    def decorator(self, name: str) -> Callable[[Function], Function]:
        """Return what starts a span around each call of a function."""
        decorate: Callable[[Function], Function] = self.start(name)
        return decorate

    def ended(self) -> list[tuple[Any, ...]]:
        """Return what can be said of the spans that ended, but for ids and times."""
        return [
            (
                span.name,
                dict(span.attributes or {}),
                span.status.status_code,
                span.status.description,
                [
                    (event.name, (event.attributes or {}).get("exception.type"))
                    for event in span.events
                ],
                span.parent is not None,
            )
            for span in self.exporter.get_finished_spans()
        ]


def _passes(side: Side) -> object:
    with side.start("a", attributes={"k": 1}) as span:
        assert trace.get_current_span() is span
        with side.start("b"):
            pass
        assert trace.get_current_span() is span
    return trace.get_current_span() is trace.INVALID_SPAN


def _raises(side: Side) -> object:
    with side.start("a"), side.start("b", record_exception=False):
        raise ValueError("why")


def _raises_unnoticed(side: Side) -> object:
    with side.start("a", record_exception=False, set_status_on_exception=False):
        raise ValueError("why")


def _raises_what_is_no_exception(side: Side) -> object:
    with side.start("a"):
        raise KeyboardInterrupt


def _raises_stop_iteration(side: Side) -> object:
    with side.start("a"):
        raise StopIteration("done")


def _raises_stop_async_iteration(side: Side) -> object:
    with side.start("a"):
        raise StopAsyncIteration


def _is_left_open(side: Side) -> object:
    with side.start("a", end_on_exit=False) as span:
        pass
    span.set_attribute("later", True)
    span.end()
    return span.is_recording()


def _ends_inside(side: Side) -> object:
    with side.start("a") as span:
        span.end()
        raise ValueError("too late")


def _uses(side: Side) -> object:
    span = side.tracer.start_span("a")
    with side.use(span) as used:
        assert used is span is trace.get_current_span()
    with side.use(span, end_on_exit=True, set_status_on_exception=False):
        raise ValueError("why")


def _uses_what_is_no_span(side: Side) -> object:
    with side.use(object()):
        raise ValueError("why")


def _decorates(side: Side) -> object:
    @side.decorator("f")
    def function(number: int) -> int:
        """Return it."""
        return number

    assert function.__name__ == "function"
    return function(1), function(2), function.__doc__


def _decorates_what_raises(side: Side) -> object:
    @side.decorator("f")
    def function() -> None:
        raise ValueError("why")

    function()
    return None


def _decorates_coroutines(side: Side) -> object:
    @side.decorator("f")
    async def function(number: int) -> int:
        await asyncio.sleep(0)
        assert trace.get_current_span().is_recording()
        return number

    async def main() -> list[int]:
        return list(await asyncio.gather(function(1), function(2)))

    return asyncio.run(main())


def _decorates_generators(side: Side) -> object:
    @side.decorator("f")
    def function() -> Iterator[bool]:
        yield trace.get_current_span().is_recording()

    return list(function())


def _decorates_async_generators(side: Side) -> object:
    @side.decorator("f")
    async def function() -> AsyncIterator[bool]:
        yield trace.get_current_span().is_recording()

    async def main() -> list[bool]:
        return [each async for each in function()]

    return asyncio.run(main())


def _does_not_start(side: Side) -> object:
    vars(side.tracer)["id_generator"] = None
    try:
        with side.start("a"):
            pass
    except AttributeError:
        gc.collect()  # a finalizer that fails makes this test fail
        return trace.get_current_span() is trace.INVALID_SPAN
    return None


def _is_dropped_inside(side: Side) -> object:
    scope = side.start("a")
    scope.__enter__()
    del scope
    gc.collect()
    return trace.get_current_span() is trace.INVALID_SPAN


def _is_dropped_before(side: Side) -> object:
    side.start("a")
    gc.collect()
    return None


def _is_left_twice(side: Side) -> object:
    scope = side.start("a")
    scope.__enter__()
    scope.__exit__(None, None, None)
    return scope.__exit__(None, None, None)


def _is_left_by_hand(side: Side) -> object:
    scope = side.start("a")
    scope.__enter__()
    error = ValueError("why")
    return scope.__exit__(ValueError, error, None)


def _is_left_by_a_class(side: Side) -> object:
    scope = side.start("a")
    scope.__enter__()
    return scope.__exit__(ValueError, None, None)


def _is_left_in_a_generator(side: Side) -> object:
    def generate() -> Generator[int, None, None]:
        with side.start("a"):
            yield 1

    generator = generate()
    next(generator)
    generator.close()
    return trace.get_current_span() is trace.INVALID_SPAN


LIVES = [
    _passes,
    _raises,
    _raises_unnoticed,
    _raises_what_is_no_exception,
    _raises_stop_iteration,
    _raises_stop_async_iteration,
    _is_left_open,
    _ends_inside,
    _uses,
    _uses_what_is_no_span,
    _decorates,
    _decorates_what_raises,
    _decorates_coroutines,
    _decorates_generators,
    _decorates_async_generators,
    _does_not_start,
    _is_dropped_inside,
    _is_dropped_before,
    _is_left_twice,
    _is_left_by_hand,
    _is_left_by_a_class,
    _is_left_in_a_generator,
]


@pytest.mark.parametrize(
    "made_by",
    [
        "python",
        pytest.param(
            "c", marks=pytest.mark.skipif(not compiled_scope.HAS_SCOPES, reason="was not built")
        ),
    ],
)
@pytest.mark.parametrize("live", LIVES, ids=lambda live: live.__name__.strip("_"))
def test_it_is_as_with_the_sdks(
    live: Callable[[Side], object], made_by: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a program sees, raises, records and logs is the same."""
    outcomes = []

    for side in (Side("sdk"), Side(made_by)):
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            try:
                result = live(side)
            except BaseException as error:  # noqa: BLE001
                result = type(error), error.args
        messages = [(record.name, record.getMessage()) for record in caplog.records]
        outcomes.append((result, side.ended(), messages))

    assert outcomes[0] == outcomes[1]


def test_nothing_runs_where_a_scope_goes_that_was_left() -> None:
    """What a signal handler raises in a finalizer is lost to the program."""
    called = []
    side = Side("python")

    sys.setprofile(lambda frame, event, _: called.append((event, frame.f_code.co_name)))
    with side.start("a"):
        pass
    sys.setprofile(None)

    assert ("call", "__exit__") in called
    assert ("call", "__del__") not in called
