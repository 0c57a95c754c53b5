"""The source of garbage collection pauses, with collections the interpreter really makes."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_flight import FlightRecorder
from otel_flight.interpreter.recursion import IS_GUARDED
from otel_flight.records.records import RuntimeEvent
from otel_flight.sources.gc_pauses import GENERATIONS, MOST_WAITING, GcPauses
from otel_flight.testing import FakeClock
from tests.support.rigs.source_rig import SourceRig

LIMIT_SECONDS = 0.01


class Collections:
    """A started source, in a world where collections take as long as the test says."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.rig = SourceRig(directory, self.clock, gc_pause_seconds=LIMIT_SECONDS)
        self.source = GcPauses(self.rig.settings.gc_pause_seconds or 0, self.rig.surroundings)
        self.seconds = 0.0
        self.during: Callable[[], object] = lambda: None

    def take(self, seconds: float, generation: int = 2) -> None:
        """Run a collection that takes so long."""
        self.seconds = seconds
        gc.collect(generation)
        self.seconds = 0.0

    def collecting(self, phase: str, details: dict[str, Any]) -> None:
        """Let time pass within a collection."""
        if phase == "start":
            self.clock.advance(self.seconds)
            self.during()


@pytest.fixture
def collections(tmp_path: Path) -> Iterator[Collections]:
    """A started source; no collection but those a test asks for."""
    collections = Collections(tmp_path / "ring")
    gc.disable()
    collections.source.start()
    gc.callbacks.append(collections.collecting)
    yield collections
    gc.callbacks.remove(collections.collecting)
    collections.source.stop()
    gc.enable()
    collections.rig.close()


@contextmanager
def garbage(number: int) -> Iterator[None]:
    """Leave cycles behind, which only a collection takes away."""
    gc.collect()
    for _ in range(number):
        cycle: list[Any] = []
        cycle.append(cycle)
    del cycle
    yield


def collect_here(collections: Collections) -> None:
    """Collect in a function that a stack can name."""
    collections.take(0.5)


def test_a_long_collection_is_recorded(collections: Collections) -> None:
    """With its generation, what it collected, its time on the wall clock, its thread and place."""
    began = collections.clock.wall_ns()

    with garbage(7):
        collect_here(collections)
    collections.clock.advance(3)
    collections.source.tick()

    (event,) = collections.rig.events()
    record = event.record
    assert (record.source, record.name) == ("gc", "gc pause")
    assert (record.start_ns, record.end_ns) == (began, began + 500_000_000)
    assert record.thread_id == threading.get_ident()
    assert 0 < record.attributes.pop("flight_recorder.gc.cpu_ns") < 60e9
    assert record.attributes == {
        "cpython.gc.generation": 2,
        "cpython.gc.collected_objects": 7,
        "cpython.gc.uncollectable_objects": 0,
    }
    assert event.stack is not None
    *_, caller, innermost = event.stack.frames
    assert innermost.function.endswith("take")
    assert caller.function == "collect_here"
    assert innermost.file == __file__


def test_the_recorders_own_frames_are_left_out(collections: Collections) -> None:
    """A collection may start in what a span or an event calls of ours: it is no place to name."""
    runtime = collections.rig.session.runtime
    runtime.hooks = (lambda event: collect_here(collections),)
    runtime.record(RuntimeEvent("test", "event", 1, 1))
    runtime.hooks = ()

    collections.source.tick()

    _, event = collections.rig.events()
    assert event.stack is not None
    *_, outer, hook, caller, innermost = event.stack.frames
    assert [caller.function, innermost.function.rpartition(".")[2]] == ["collect_here", "take"]
    assert {outer.file, hook.file} == {__file__}


def test_short_collections_are_only_counted(collections: Collections) -> None:
    """Below the limit there is no event, but a number and a time for each generation."""
    before = collections.source.counts()
    for generation in range(GENERATIONS):
        collections.take(0.009, generation)
    collections.source.tick()

    assert collections.rig.events() == []
    counts = collections.source.counts()
    for generation in range(GENERATIONS):
        for name, expected in (
            (f"collections.{generation}", 1),
            (f"pause_ns.{generation}", 9_000_000),
        ):
            assert counts[name] - before[name] == expected


def test_the_limit_itself_counts_as_long(collections: Collections) -> None:
    """A pause of exactly the limit is recorded."""
    collections.take(LIMIT_SECONDS, 0)
    collections.source.tick()

    assert [
        event.record.attributes["cpython.gc.generation"] for event in collections.rig.events()
    ] == [0]


def test_a_pause_belongs_to_the_span_it_interrupted(collections: Collections) -> None:
    """The current span of the thread that collects; none where there is none."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")

    with tracer.start_as_current_span("work") as span:
        collections.take(1)
    collections.take(1)
    collections.source.tick()

    inside, outside = (event.record for event in collections.rig.events())
    context = span.get_span_context()
    assert (inside.trace_id, inside.span_id) == (context.trace_id, context.span_id)
    assert (outside.trace_id, outside.span_id) == (0, 0)


def test_a_collection_on_another_thread_is_of_that_thread(collections: Collections) -> None:
    """Whichever thread allocates too much runs the collection."""
    thread = threading.Thread(target=collections.take, args=(1,))
    thread.start()
    thread.join(10)
    collections.source.tick()

    (event,) = collections.rig.events()
    assert event.record.thread_id == thread.ident != threading.get_ident()


def test_a_collection_within_a_collection_is_none(collections: Collections) -> None:
    """Asked for by another callback or another thread meanwhile: one pause, one count."""
    before = collections.source.counts()["collections.2"]
    other = threading.Thread(target=gc.collect)

    def collect_again() -> None:
        gc.collect()
        other.start()
        other.join(10)

    collections.during = collect_again
    collections.take(1)
    collections.source.tick()

    assert not other.is_alive()
    assert len(collections.rig.events()) == 1
    assert collections.source.counts()["collections.2"] == before + 1


def test_a_collection_within_our_own_writing_is_recorded_later(collections: Collections) -> None:
    """One that runs while others are being recorded waits for the next tick: a tick always ends."""
    collections.take(1)
    collections.rig.session.runtime.hooks = (lambda event: collections.take(2),)

    collections.source.tick()
    first = [event.record.duration_ns for event in collections.rig.events()]
    collections.source.tick()
    second = [event.record.duration_ns for event in collections.rig.events()]

    assert first == [1_000_000_000]
    assert second == [1_000_000_000, 2_000_000_000]


def test_collections_at_every_allocation_stop_nothing(collections: Collections) -> None:
    """With one wherever one can be, in our own callback and tick too, none is lost uncounted."""
    before = collections.source.counts()["collections.0"]
    thresholds = gc.get_threshold()
    gc.set_threshold(1, 1_000_000, 1_000_000)
    gc.enable()
    collections.seconds = 1.0
    try:
        for _ in range(50):
            cycle: list[Any] = []
            cycle.append(cycle)
            collections.source.tick()
    finally:
        gc.disable()
        gc.set_threshold(*thresholds)
    collections.seconds = 0.0
    collections.source.tick()

    recorded = len(collections.rig.events()) + collections.source.dropped
    assert recorded >= 50
    assert recorded == collections.source.counts()["collections.0"] - before


def test_pauses_wait_in_bounded_room(collections: Collections) -> None:
    """When the ticker does not come the newest are kept, and the others counted."""
    for _ in range(MOST_WAITING + 3):
        collections.take(1, 0)
    collections.source.tick()

    assert len(collections.rig.events()) == MOST_WAITING
    assert collections.source.counts()["dropped"] == 3


def test_a_start_in_the_middle_of_a_collection_is_no_pause(collections: Collections) -> None:
    """The end of a collection whose beginning was not seen has no duration."""
    collections.source.stop()
    collections.during = collections.source.start
    collections.take(1)
    collections.during = lambda: None
    collections.source.tick()

    assert collections.rig.events() == []


def test_stop_takes_the_callback_out_and_may_be_repeated(collections: Collections) -> None:
    """Others' callbacks stay, and nothing is recorded any more."""
    collections.source.stop()
    collections.source.stop()
    collections.take(1)
    collections.source.tick()

    assert collections.rig.events() == []
    assert gc.callbacks[-1] == collections.collecting


def test_no_frame_is_kept_alive(collections: Collections) -> None:
    """A waiting pause knows the code it interrupted, not the objects in it."""

    class Payload:
        pass

    def handler() -> int:
        payload = Payload()
        collections.take(1)
        return sys.getrefcount(payload)

    handler()

    assert [each for each in gc.get_objects() if type(each) is Payload] == []
    collections.source.tick()


def test_statistics_have_the_counts() -> None:
    """A recorder tells collections and pauses; without the source it tells nothing of them."""
    with FlightRecorder(window_bytes="512KiB", metrics=False) as recorder:
        before = recorder.statistics().sources["gc"]
        gc.collect()
        after = recorder.statistics().sources["gc"]
    with FlightRecorder(window_bytes="512KiB", metrics=False, gc_pause_seconds=None) as without:
        sources = without.statistics().sources

    assert after["collections.2"] >= before["collections.2"] + 1
    assert after["pause_ns.2"] > before["pause_ns.2"]
    assert "gc" not in sources
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.skipif(not IS_GUARDED, reason="only C can call back with care")
def test_a_collection_at_the_recursion_limit_is_quiet(collections: Collections) -> None:
    """No function can be called there, ours neither: the interpreter would write that out."""
    written: list[Any] = []
    collected = 0
    gc.callbacks.remove(collections.collecting)  # one more that fails there
    hook, sys.unraisablehook = sys.unraisablehook, lambda report: written.append(report.exc_type)

    def recurse() -> None:
        nonlocal collected
        collected += gc.collect(0) >= 0
        recurse()

    try:
        with pytest.raises(RecursionError):
            recurse()
    finally:
        sys.unraisablehook = hook
        gc.callbacks.append(collections.collecting)

    assert collected > 100
    assert written == []
