"""The trigger for local roots that take too long and have not ended."""

from __future__ import annotations

import asyncio
import sys
import threading
from types import FunctionType, ModuleType
from typing import Any
from weakref import ref

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_flight.assembly import Settings
from otel_flight.interpreter.frames import CAN_READ_FRAMES, CAN_READ_LOCALS
from otel_flight.recording.open_spans import OpenSpans
from otel_flight.testing import FakeClock
from otel_flight.triggers.base import TriggerContext
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.roots.route_limits import RouteLimits
from otel_flight.triggers.slow_open_root import SlowOpenRootTrigger
from tests.support.spans.made_span import SECOND, SPAN_ID, TRACE_ID, made_span

TICK = 0.1


class Watch:
    """The trigger with a clock of our own, looking every tick.

    Args:
        fires: whether roots fire while they are open.
        **settings: as `Settings` takes them.
    """

    def __init__(self, *, fires: bool = True, **settings: Any) -> None:
        self.clock = FakeClock()
        self.inbox = FiringInbox()
        context = TriggerContext(OpenSpans(100), self.inbox, self.clock)
        self.open_spans = context.open_spans
        self.known = context.slow_roots
        limits = RouteLimits(Settings(**settings), context.latency)
        self.trigger = SlowOpenRootTrigger(limits, context, fires=fires)

    def start(self, span_id: int = 1, name: Any = "GET /", **fields: Any) -> None:
        """Open a local root now, a request's unless said otherwise."""
        span = made_span(name, **{"kind": SpanKind.SERVER, **fields})
        self.open(span_id, span, 77)

    def open(self, span_id: int, span: ReadableSpan, thread_id: int, task: Any = None) -> None:
        """Open a span now."""
        self.open_spans.roots[span_id] = (span, thread_id, task, self.clock.monotonic_ns())

    def end(self, span_id: int = 1) -> None:
        """Close it."""
        del self.open_spans.roots[span_id]

    def after(self, seconds: float) -> list[Firing]:
        """Let time pass, and return what was fired meanwhile."""
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.trigger.watch()
        return self.inbox.take_all()


def test_a_root_that_hangs_fires_once() -> None:
    """As soon as it has taken longer than it may, and not again; it is the same cause as ended."""
    watch = Watch()
    watch.start()

    assert watch.after(0.9) == []
    (firing,) = watch.after(0.3)
    assert watch.after(100) == []

    assert (firing.trigger, firing.reason) == ("slow_open_root", "slow local root")
    assert firing.fingerprint == ("slow_root", "GET /")
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes["flight_recorder.limit_ns"] == SECOND
    assert SECOND < firing.attributes["flight_recorder.duration_ns"] < 1.3 * SECOND


def test_roots_that_end_in_time_do_not_fire() -> None:
    """However many there are one after another."""
    watch = Watch()
    for span_id in range(30):
        watch.start(span_id)
        assert watch.after(0.8) == []
        watch.end(span_id)


def test_routes_have_their_own_limits() -> None:
    """The same as for roots that ended."""
    watch = Watch(slow_root_routes=(("GET /report", 5.0), ("POST /bulk", None)))
    for span_id, name in enumerate(("GET /", "GET /report", "POST /bulk")):
        watch.start(span_id, name)

    assert [firing.subject for firing in watch.after(4)] == ["GET /"]
    assert [firing.subject for firing in watch.after(100)] == ["GET /report"]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_wall_clock_that_is_set_disturbs_nothing(seconds: float) -> None:
    """Set forward, no root looks an hour old; set back, a root that hangs is still found."""
    watch = Watch()
    watch.start(1, "known before")
    assert watch.after(0.5) == []
    watch.start(2, "started before")
    watch.clock.set_wall(seconds)
    watch.start(3, "started after")

    assert [firing.subject for firing in watch.after(0.4)] == []
    assert [firing.subject for firing in watch.after(0.2)] == ["known before"]
    assert {firing.subject for firing in watch.after(1)} == {"started before", "started after"}


def test_a_start_in_the_past_does_not_count() -> None:
    """A root that is given its message's time for a start has only begun to work."""
    watch = Watch()
    watch.start(start=1)

    assert watch.after(0.8) == []
    assert len(watch.after(0.5)) == 1


@pytest.mark.parametrize("started", [None, "now", 7.5, float("nan"), [], 1 << 200])
@pytest.mark.parametrize("name", [None, 5, ["a"]])
def test_an_odd_root_does_not_hide_the_others(started: Any, name: Any) -> None:
    """Names and times of any type; each root is looked at."""
    watch = Watch(slow_root_routes=(("GET *", 1.0),))
    watch.start(1, name, start=started)
    watch.start(2, "GET /")

    fired = watch.after(2)

    assert [firing.subject for firing in fired if firing.subject == "GET /"] == ["GET /"]
    assert len(fired) == 2


def test_little_is_remembered_of_roots_that_are_gone() -> None:
    """However many were slow, or answered early."""
    watch = Watch()
    for span_id in range(3000):
        watch.start(span_id, attributes={"http.status_code": 200} if span_id % 2 else {})
    watch.after(1.2)
    watch.open_spans.roots.clear()
    watch.after(TICK)

    assert len(watch.known.told) + len(watch.known.answered_ns) <= 2048


@pytest.mark.parametrize("name", ["http.status_code", "http.response.status_code"])
def test_a_request_that_has_begun_its_answer_does_not_fire(name: str) -> None:
    """It streams, or works on; the trigger for its end is told when that was."""
    watch = Watch(slow_root_routes=(("POST *", 1.0),))
    watch.start(1, attributes={name: 200})
    watch.start(2, "POST /bulk", attributes={name: 200})

    assert [firing.subject for firing in watch.after(100)] == ["POST /bulk"]
    assert watch.known.answered_ns == {1: TICK * SECOND}


def test_when_it_began_its_answer_is_noted_although_nothing_fires_while_open() -> None:
    """The trigger for ended roots needs it."""
    watch = Watch(fires=False)
    watch.start(1, attributes={"http.status_code": 200})
    watch.start(2)

    assert watch.after(100) == []
    assert list(watch.known.answered_ns) == [1]


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {"url.scheme": "ws"}},
        {"kind": SpanKind.CLIENT},
        {"kind": SpanKind.CONSUMER, "attributes": {"messaging.operation": "receive"}},
        {"kind": SpanKind.INTERNAL},
    ],
    ids=["socket", "call", "receive", "job"],
)
def test_what_is_no_request_may_take_longer(fields: dict[str, Any]) -> None:
    """Waiting for work is no work."""
    watch = Watch()
    watch.start(**fields)

    assert watch.after(100) == []


async def _stream_interceptor() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("is_of_grpc", [False, True])
def test_a_stream_of_grpc_is_told_by_the_code_of_its_task(is_of_grpc: bool) -> None:
    """No attribute says so."""
    file = "/venv/grpc/_aio_server.py" if is_of_grpc else __file__
    code = _stream_interceptor.__code__.replace(co_filename=file)
    watch = Watch()

    async def serve() -> list[Firing]:
        task = asyncio.create_task(FunctionType(code, globals())())
        await asyncio.sleep(0)
        watch.open(1, made_span(kind=SpanKind.SERVER), threading.get_ident(), ref(task))
        fired = watch.after(2)
        task.cancel()
        return fired

    assert len(asyncio.run(serve())) == (0 if is_of_grpc else 1)


class StreamResponse:
    """An answer, as aiohttp's."""

    __module__ = "aiohttp.web_response"

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type


@pytest.mark.parametrize("content_type", ["text/event-stream", "text/html"])
def test_an_event_stream_of_aiohttp_is_told_by_its_answer(
    content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its instrumentation says nothing before the end."""
    monkeypatch.setitem(sys.modules, "aiohttp.web_response", ModuleType("aiohttp.web_response"))
    watch = Watch()

    async def handle() -> None:
        answer = StreamResponse(content_type)
        await asyncio.Event().wait()
        del answer

    async def serve() -> list[Firing]:
        task = asyncio.create_task(handle())
        await asyncio.sleep(0)
        watch.open(1, made_span(kind=SpanKind.SERVER), threading.get_ident(), ref(task))
        fired = watch.after(2)
        task.cancel()
        return fired

    is_told = content_type == "text/event-stream" and CAN_READ_LOCALS
    assert len(asyncio.run(serve())) == (0 if is_told else 1)


def test_a_stream_of_grpc_is_told_by_the_stack_of_its_thread() -> None:
    """Where there is no task."""
    is_there, is_over = threading.Event(), threading.Event()

    def serve() -> None:
        is_there.set()
        is_over.wait(20)

    code = serve.__code__.replace(
        co_name="_intercept_server_stream", co_filename="/venv/grpc/_server.py"
    )
    streaming = FunctionType(code, globals(), closure=serve.__closure__)
    thread = threading.Thread(target=streaming)
    thread.start()
    is_there.wait(20)
    watch = Watch()
    watch.open(1, made_span(kind=SpanKind.SERVER), thread.ident or 0)
    fired = watch.after(2)
    is_over.set()
    thread.join()

    assert fired == [] or not CAN_READ_FRAMES


def test_what_was_a_stream_once_is_one_by_its_name() -> None:
    """The code that tells does not run at each moment."""
    watch = Watch()
    assert watch.known.is_stream("/shop.Shop/Watch", lambda: True)
    watch.start(1, "/shop.Shop/Watch")
    watch.start(2, "/shop.Shop/Get")

    assert [firing.subject for firing in watch.after(2)] == ["/shop.Shop/Get"]
