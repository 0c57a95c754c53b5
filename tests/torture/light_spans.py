"""Light spans under everything at once: threads, finalizers, asyncio, signals and forks.

    python -m tests.torture.light_spans [SECONDS] [auto|python]
    python -m gevent.monkey --module tests.torture.light_spans [SECONDS] [auto|python]

They are exported as well, on a thread of the SDK's, which reads all that is in them. Each thread
starts spans below its own alone, and looks whether they are; finalizers and signal handlers start
and end spans of their own meanwhile. A forked child does the same and must end well. In the second
form the threads are greenlets, which give way to each other within their spans, beside two threads
of gevent's pool.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic, sleep
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

import otel_flight
from otel_flight.recording.light.light_span import LightSpan

PLAIN: dict[str, Any] = {"a": "text", "b": 1, "c": 2.5, "d": True}
ODD: dict[str, Any] = {"list": ["a"], "none": None}
DEEDS: list[Callable[[Any], Any]] = [
    lambda span: span.attributes,
    lambda span: span.add_event("event", PLAIN),
    lambda span: span.set_status(trace.StatusCode.ERROR, "why"),
    lambda span: span.update_name("other"),
    lambda span: span.set_attribute("b", 3),
    lambda span: span.set_attributes(PLAIN),
    lambda span: span.set_status(trace.Status(trace.StatusCode.UNSET)),
    lambda span: span.end(),
    lambda span: span.to_json(),
    lambda span: setattr(span, "itself", span),
]
CAN_SEE_CURRENT = sys.version_info >= (3, 12)
"""Before, garbage was collected in the middle of setting a context variable, and a finalizer that
read it left the interpreter with freed memory: it crashed, whoever made the span."""
SIGNAL, FINALIZER = "signal", "finalizer"
INTERRUPTING = {SIGNAL, FINALIZER, "current in a finalizer", "below it"}
NOWHERE = Context()
IS_GREEN = "gevent.monkey" in sys.modules
"""Threads, locks, forks and what waits are gevent's."""
GIVES_WAY = 0.5 if IS_GREEN else 0.01
failures: list[str] = []


class AllButInterrupting(Sampler):
    """Samples all spans but those that begin in the middle of anything.

    The queue of the SDK's processor has a lock that the thread which holds it cannot take again.
    """

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *_: Any) -> Any:
        """Record all, as the recorder does anyway."""
        return SamplingResult(
            Decision.RECORD_ONLY if name in INTERRUPTING else Decision.RECORD_AND_SAMPLE
        )

    def get_description(self) -> str:
        """Say what it does."""
        return "AllButInterrupting"


class Reader(SpanExporter):
    """Reads what it is given to export."""

    def export(self, spans: Any) -> SpanExportResult:
        """Read them as JSON."""
        failures.extend(f"exported: {span}" for span in spans if '"name"' not in span.to_json())
        return SpanExportResult.SUCCESS


class Finalized:
    """Starts and ends spans when it is collected, wherever that is."""

    def __init__(self, tracer: Any) -> None:
        self.itself = self
        self.tracer = tracer

    def __del__(self) -> None:
        self.tracer.start_span(FINALIZER, NOWHERE, attributes=PLAIN).end()
        if CAN_SEE_CURRENT:
            with self.tracer.start_as_current_span("current in a finalizer", attributes=PLAIN):
                self.tracer.start_span("below it", attributes=ODD).end()


def look(span: Any, parent: Any) -> None:
    """Note what is wrong about a span and the one that it is below."""
    if not isinstance(span, LightSpan):
        failures.append(f"{span!r} is not light")
    if span.parent is not parent.get_span_context():
        failures.append(f"{span!r} is below {span.parent}, not below {parent!r}")
    if trace.get_current_span() is not span:
        failures.append(f"{trace.get_current_span()!r} is current, not {span!r}")


def give_way(chance: random.Random) -> None:
    """Let other threads or greenlets go on now and then."""
    if chance.random() < GIVES_WAY:
        sleep(0)


def work(tracer: Any, chance: random.Random) -> None:
    """Make a trace in which everything is done that can be done to a span."""
    with tracer.start_as_current_span("root", attributes=PLAIN) as root:
        Finalized(tracer)
        for number in range(chance.randrange(6)):
            given = chance.choice([None, PLAIN, ODD])
            with tracer.start_as_current_span(f"child {number}", attributes=given) as span:
                look(span, root)
                give_way(chance)
                span.set_attribute("later", number)
                span.set_attributes({"x": "y"} if number % 2 else ODD)
                chance.choice(DEEDS)(span)
        left = tracer.start_as_current_span("left")
        left.__enter__()
        del left
        if chance.random() < 0.1:
            tracer.start_span("never ended", attributes=PLAIN)
        try:
            with tracer.start_as_current_span("fails"):
                raise ValueError
        except ValueError:
            pass


def shared(tracer: Any, spans: list[Any], chance: random.Random) -> None:
    """Do to spans what other threads do to them at the same time."""
    if not spans or chance.random() < 0.2:
        spans.append(tracer.start_span("shared", attributes=PLAIN))
    give_way(chance)
    span = chance.choice(list(spans))
    span.set_attribute(chance.choice("abcdef"), 1)
    _ = span.attributes, span.events, span.get_span_context(), span.status
    if chance.random() < 0.1:
        span.end()
        del spans[:-1]


async def serve(tracer: Any, chance: random.Random, until: float) -> None:
    """Keep spans current over awaits."""

    async def request() -> None:
        with tracer.start_as_current_span("request") as root:
            await asyncio.sleep(0)
            with tracer.start_as_current_span("inner", attributes=PLAIN) as span:
                await asyncio.sleep(0)
                look(span, root)

    while monotonic() < until:
        tasks = [asyncio.create_task(request()) for _ in range(20)]
        await asyncio.sleep(0)
        chance.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def at_once(tracer: Any, until: float) -> list[Callable[[], object]]:
    """Begin to do everything at the same time; return what waits for the ends."""
    spans: list[Any] = []

    def repeat(what: Any, *arguments: Any) -> None:
        chance = random.Random(threading.get_ident())
        while monotonic() < until:
            what(tracer, *arguments, chance)
            give_way(chance)

    def run_loop() -> None:
        asyncio.run(serve(tracer, random.Random(1), until))

    works = [partial(repeat, work)] * 3 + [partial(repeat, shared, spans)] * 2 + [run_loop]
    if IS_GREEN:
        return in_greenlets(works, partial(repeat, work))
    threads = [threading.Thread(target=each) for each in works]
    for thread in threads:
        thread.start()
    return [thread.join for thread in threads]


def in_greenlets(
    works: list[Callable[[], None]], native: Callable[[], None]
) -> list[Callable[[], object]]:
    """Do each work in a greenlet, and one on two real threads besides."""
    gevent = importlib.import_module("gevent")
    pool = gevent.get_hub().threadpool
    return [gevent.spawn(each).join for each in works] + [pool.spawn(native).get for _ in range(2)]


def wait_for_light_spans(tracer: Any) -> None:
    """Wait until spans are light: the recording begins beside the application, with a span."""
    until = monotonic() + 30
    while not isinstance(tracer.start_span("first"), LightSpan) and monotonic() < until:
        sleep(0.001)


def forked(tracer: Any) -> None:
    """Do a little of it in a forked child, and wait for it."""
    pid = os.fork()
    if pid == 0:
        try:
            wait_for_light_spans(tracer)
            for _ in range(20):
                work(tracer, random.Random(1))
        except BaseException as error:  # noqa: BLE001
            failures.append(repr(error))
        sys.stderr.write("".join(f"in a child: {failure}\n" for failure in failures[:5]))
        os._exit(len(failures) > 0)
    _, status = os.waitpid(pid, 0)
    if status:
        failures.append(f"a child ended with {status}")


def main() -> None:
    """Do it for so many seconds, and say what was wrong."""
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # warns of what comes late
    seconds, wanted = (*sys.argv[1:], *("60", "auto")[len(sys.argv[1:]) :])
    provider = TracerProvider(AllButInterrupting(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Reader()))
    recorder = otel_flight.install(
        tracer_provider=provider,
        enabled=True,
        export="off",
        light_spans=wanted,
        window_bytes="4MiB",
    )
    recorder.start()
    tracer = provider.get_tracer("stress")
    signal.signal(signal.SIGPROF, lambda *_: tracer.start_span(SIGNAL, attributes=PLAIN).end())
    signal.setitimer(signal.ITIMER_PROF, 0.003, 0.003)  # of CPU time: a busy machine gets no more
    gc.set_threshold(50, 5, 5)
    wait_for_light_spans(tracer)
    work(tracer, random.Random(0))  # a child waits for ever for what another thread was importing
    rounds = 0
    until = monotonic() + float(seconds)
    while monotonic() < until and not failures:
        joins = at_once(tracer, min(until, monotonic() + 2))
        for _ in range(4):
            forked(tracer)
            work(tracer, random.Random(rounds))
        for join in joins:
            join()
        rounds += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    statistics = recorder.statistics()
    what = f"{rounds} rounds, {statistics.spans}, {type(tracer).__name__}, {statistics.errors}"
    sys.stdout.write("\n".join([what, *(failures[:20] or ["nothing was wrong"]), ""]))
    otel_flight.uninstall()
    provider.shutdown()
    sys.exit(len(failures) > 0)


if __name__ == "__main__":
    main()
