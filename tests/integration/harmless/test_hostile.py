"""Everything a host can do to us: nothing raises into it, blocks it, or is lost uncounted."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, StatusCode

from otel_flight.assembly import Settings
from otel_flight.ground.clock import wall_ns
from otel_flight.recording.session import RecordingSession
from otel_flight.recording.span_processor import unwatched
from otel_flight.records import records
from otel_flight.records.records import Span
from otel_flight.ring import lane_writer
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import RingReader
from tests.support.implementations.hot_paths import HOT_PATHS
from tests.support.rigs.recording_rig import UNLIMITED, Recorded, RecordingRig, resolved
from tests.support.spans.span_strategies import silent_sdk

ROOT = Path(__file__).parents[3]
SECOND = 1_000_000_000


@pytest.fixture(params=HOT_PATHS)
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RecordingRig]:
    """A session with 4 MiB of ring, and spans without limits."""
    directory = tmp_path / "ring"
    with RecordingRig(directory, UNLIMITED, window_bytes="4MiB", compiled=request.param) as rig:
        yield rig


@pytest.fixture
def often_switching() -> Iterator[None]:
    """Threads that are switched as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def assert_all_held(rig: RecordingRig, ended: int) -> None:
    """Check that every span that ended is in the ring, or counted as lost."""
    rig.session.drain()
    counts = rig.session.lanes[LANE_SPANS].counts()
    found = rig.recorded()
    assert counts.written_records == counts.evicted_records + len(found)
    if counts.evicted_records == 0:
        spans = sum(type(item.record) is Span for item in found)
        assert ended - counts.dropped_records <= spans <= ended
        if counts.dropped_records == 0:
            assert spans == ended
    assert rig.guard.errors() == ()


class TestReentrance:
    """Spans that end where nobody expects it."""

    def test_finalizers_end_spans_while_records_are_written(self, rig: RecordingRig) -> None:
        """A collection may run at any allocation within our own code."""

        class Dying:
            def __init__(self) -> None:
                self.span = rig.tracer.start_span("finalized")
                self.cycle = self

            def __del__(self) -> None:
                self.span.end()

        thresholds = gc.get_threshold()
        gc.set_threshold(1, 1_000_000, 1_000_000)
        try:
            for number in range(500):
                Dying()
                with rig.tracer.start_as_current_span("work", attributes={"number": number}):
                    rig.tracer.start_span("child").end()
        finally:
            gc.set_threshold(*thresholds)
        gc.collect()

        assert_all_held(rig, 1500)
        assert rig.session.open_spans.spans == rig.session.open_spans.roots == {}

    def test_collection_callbacks_record_spans(self, rig: RecordingRig) -> None:
        """Whoever traces collections does it in the middle of ours."""
        collections = 0

        def trace_collection(phase: str, info: dict[str, int]) -> None:
            nonlocal collections
            if phase == "stop":
                collections += 1
                rig.tracer.start_span("collection", context.Context()).end()

        thresholds = gc.get_threshold()
        gc.callbacks.append(trace_collection)
        gc.set_threshold(1, 1_000_000, 1_000_000)
        try:
            for number in range(300):
                rig.tracer.start_span("work", attributes={"list": [number]}).end()
        finally:
            gc.set_threshold(*thresholds)
            gc.callbacks.remove(trace_collection)

        assert collections > 100
        assert_all_held(rig, 300 + collections)

    def test_signal_handlers_end_spans_while_records_are_written(self, rig: RecordingRig) -> None:
        """A handler runs between any two instructions of ours, and neither waits nor loses."""
        handled = 0

        def handler(number: int, frame: FrameType | None) -> None:
            nonlocal handled
            handled += 1
            rig.tracer.start_span("handled", context.Context()).end()

        before = signal.signal(signal.SIGVTALRM, handler)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005, 0.0005)
        count = 0
        try:
            while handled < 200:
                count += 1
                rig.tracer.start_span("work").end()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

        assert_all_held(rig, count + handled)

    def test_a_time_limit_that_strikes_within_a_hook_reaches_the_host(
        self, rig: RecordingRig
    ) -> None:
        """The job ends, and the recording goes on as if it had been another span's turn."""

        class TimeLimitError(Exception):
            pass

        def strike(number: int, frame: FrameType | None) -> None:
            raise TimeLimitError

        before = signal.signal(signal.SIGVTALRM, strike)
        gc.disable()  # within a callback of a collection the exception would go no further
        struck = 0
        try:
            for delay in range(150):
                try:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0002 + delay * 0.000007)
                    for _ in range(2000):
                        rig.tracer.start_span("job", attributes={"text": "x" * 500}).end()
                except TimeLimitError:
                    struck += 1
                rig.session.drain()  # as the ticker would
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
            gc.enable()
        assert struck > 100

        for _ in range(5):
            rig.tick()
        rig.tracer.start_span("after").end()
        counts = rig.session.lanes[LANE_SPANS].counts()
        found = rig.recorded()
        assert counts.written_records == counts.evicted_records + len(found)
        assert found[-1].record.name == "after"
        assert rig.guard.errors() == ()

    def test_generators_that_are_closed_late_end_their_spans(self, rig: RecordingRig) -> None:
        """By the collector, from another thread, or never."""

        def produce() -> Iterator[int]:
            span = rig.tracer.start_span("generator", context.Context())
            try:
                yield 1
                yield 2
            finally:
                span.end()

        dropped = produce()
        next(dropped)
        del dropped
        gc.collect()
        elsewhere = produce()
        next(elsewhere)
        thread = threading.Thread(target=elsewhere.close)  # type: ignore[attr-defined]
        thread.start()
        thread.join()
        never = produce()
        next(never)

        assert len(rig.spans()) == 2
        assert len(rig.session.open_spans.roots) == 1
        never.close()  # type: ignore[attr-defined]
        assert_all_held(rig, 3)

    def test_cancelled_tasks_end_their_spans(self, rig: RecordingRig) -> None:
        """A request that is cut off is recorded like any other."""

        async def serve() -> None:
            with rig.tracer.start_as_current_span("request"):
                await asyncio.sleep(60)

        async def main() -> None:
            tasks = [asyncio.create_task(serve()) for _ in range(20)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())

        assert_all_held(rig, 20)

    def test_a_span_within_deep_recursion_is_recorded_or_the_host_meets_its_own_limit(
        self, rig: RecordingRig
    ) -> None:
        """Near the limit our hook may fail; the host's own error is the only one it sees."""
        ended = 0

        def descend() -> None:
            nonlocal ended
            rig.tracer.start_span("deep", context.Context()).end()
            ended += 1
            descend()

        with pytest.raises(RecursionError):
            descend()
        rig.tracer.start_span("after").end()

        assert rig.spans()[-1].name == "after"
        assert len(rig.spans()) > 50


class TestThreads:
    """Many at once."""

    def test_a_thousand_threads_record(self, rig: RecordingRig) -> None:
        """Nobody waits for anybody, and nothing is lost uncounted."""
        start = threading.Event()

        def work(number: int) -> None:
            start.wait()
            with rig.tracer.start_as_current_span(f"thread {number}"):
                rig.tracer.start_span("child").end()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1000)]
        for thread in threads:
            thread.start()
        start.set()
        for thread in threads:
            thread.join()

        assert_all_held(rig, 2000)
        assert rig.session.open_spans.spans == rig.session.open_spans.roots == {}

    @pytest.mark.usefixtures("often_switching")
    def test_spans_end_on_other_threads_while_the_ticker_ticks_and_readers_read(
        self, rig: RecordingRig
    ) -> None:
        """Spans handed from thread to thread, checkpoints, snapshots: all at the same time."""
        stop = threading.Event()
        failures: list[BaseException] = []

        def watched(work: Callable[[], object]) -> Callable[[], None]:
            def run() -> None:
                try:
                    while not stop.is_set():
                        work()
                except BaseException as error:  # noqa: BLE001
                    failures.append(error)
                    stop.set()

            return run

        helpers = [
            threading.Thread(target=watched(rig.tick)),
            threading.Thread(target=watched(lambda: list(resolved(rig.ring.image)))),
        ]
        for helper in helpers:
            helper.start()
        for _ in range(150):
            spans = [rig.tracer.start_span("handed over") for _ in range(10)]
            thread = threading.Thread(target=lambda given: [s.end() for s in given], args=(spans,))
            thread.start()
            thread.join()
        stop.set()
        for helper in helpers:
            helper.join()

        assert failures == []
        assert_all_held(rig, 1500)

    @pytest.mark.usefixtures("often_switching")
    def test_a_span_that_several_threads_end_is_recorded_once(self, rig: RecordingRig) -> None:
        """The SDK lets one of them through."""
        with silent_sdk():
            for _ in range(50):
                span = rig.tracer.start_span("contended", context.Context())
                threads = [threading.Thread(target=span.end) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

        assert_all_held(rig, 50)

    @pytest.mark.usefixtures("often_switching")
    def test_sessions_are_exchanged_while_threads_record(
        self, rig: RecordingRig, tmp_path: Path
    ) -> None:
        """Stopping and starting neither raises into spans nor mixes one session with another."""
        stop = threading.Event()

        def work(name: str) -> None:
            tracer = rig.provider.get_tracer(name)
            while not stop.is_set():
                tracer.start_span(name, context.Context()).end()

        threads = [threading.Thread(target=work, args=(f"scope {i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        found: list[Recorded] = []
        for number in range(20):
            session = RecordingSession(
                Settings(ring_directory=str(tmp_path / "ring"), window_bytes=1 << 20)
            )
            for index in range(number % 3):  # so that the numbers of scopes differ
                session.scopes.add(InstrumentationScope(f"other {index}"), None)
            session.open_ring({})
            ring = session.ring
            assert ring is not None
            rig.processor.record_into(session, unwatched, unwatched)
            while session.lanes[LANE_SPANS].counts().written_records < 200:
                pass
            rig.processor.is_recording = False
            found.extend(resolved(ring.image))
            session.close()
        stop.set()
        for thread in threads:
            thread.join()

        assert all(item.scope is not None for item in found)
        names = {(item.record.name, item.scope.name) for item in found if item.scope is not None}
        assert names == {(f"scope {i}", f"scope {i}") for i in range(4)}
        assert rig.guard.errors() == ()

    def test_children_forked_while_threads_record_leave_the_parent_alone(
        self, rig: RecordingRig
    ) -> None:
        """A child records into a ring of its own, whatever the threads it lost were doing."""
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                rig.tracer.start_span("parent", context.Context()).end()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        exit_codes = []
        for _ in range(10):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of just this
                pid = os.fork()
            if pid == 0:
                os._exit(recorded_in_child(rig))
            exit_codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop.set()
        for thread in threads:
            thread.join()
        rig.session.drain()

        assert exit_codes == [0] * 10
        assert {item.record.name for item in rig.recorded()} == {"parent"}
        assert rig.guard.errors() == ()

    def test_a_child_forked_behind_pythons_back_begins_with_its_first_root(
        self, rig: RecordingRig
    ) -> None:
        """As uWSGI forks: no hook tells, only the process id."""
        rig.tracer.start_span("parent").end()
        fork: Callable[[], int] = ctypes.PyDLL(None).fork
        pid = fork()
        if pid == 0:
            os._exit(recorded_in_child(rig))

        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert [record.name for record in rig.spans()] == ["parent"]


def recorded_in_child(rig: RecordingRig) -> int:
    """Record in a forked child; return its exit code."""
    signal.alarm(20)  # a deadlock ends the child, and fails the test
    with rig.tracer.start_as_current_span("child", context.Context()):
        rig.tracer.start_span("inside").end()
    names = [record.name for record in rig.spans()]
    rig.close()
    return 0 if names == ["inside", "child"] and not rig.guard.errors() else 1


class Hostile:
    """An object whose every method raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __hash__ = __eq__ = __len__ = __str__  # type: ignore[assignment]


class TestValues:
    """What applications put into spans."""

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("x" * 10_000_000, id="10-MB"),
            pytest.param("\ud800" * 100_000, id="surrogates"),
            pytest.param("\0", id="zero"),
            pytest.param(1 << 100, id="over-64-bits"),
            pytest.param(-(1 << 64), id="under-64-bits"),
            pytest.param(1 << 100_000, id="huge"),
            pytest.param(float("nan"), id="nan"),
            pytest.param(None, id="none"),
            pytest.param(b"\xff" * 1_000_000, id="bytes"),
            pytest.param({"a": {"b": {"c": [1, {"d": None}]}}}, id="nested"),
            pytest.param([1 << 70] * 10_000, id="list"),
            pytest.param(["a", 1, None, 2.5], id="mixed"),
            pytest.param([], id="empty"),
            pytest.param(Hostile(), id="hostile"),
            pytest.param([Hostile()], id="hostile-list"),
            pytest.param({Hostile: Hostile}, id="hostile-map"),
            pytest.param(object(), id="object"),
            pytest.param(memoryview(b"x"), id="memoryview"),
            pytest.param(range(5), id="range"),
        ],
    )
    def test_any_value_is_recorded_or_said_to_be_lost(self, rig: RecordingRig, value: Any) -> None:
        """Whatever the SDK lets through; what it refuses, it refuses without us as well."""
        with silent_sdk():
            span = rig.tracer.start_span("work", attributes={"before": 1})
            ways: list[Callable[[], object]] = [
                lambda: span.set_attribute("value", value),
                lambda: span.add_event("event", {"value": value}),
                lambda: span.add_link(SpanContext(1, 2, True), {"value": value}),
            ]
            for put in ways:
                with contextlib.suppress(RuntimeError, TypeError, AttributeError):
                    put()
            span.end()

        (record,) = rig.spans()
        assert record.attributes["before"] == 1
        assert rig.guard.errors() == ()

    def test_a_hundred_thousand_attributes_are_bounded_and_counted(self, rig: RecordingRig) -> None:
        """What has no room is left out, and the record says how much that is."""
        span = rig.tracer.start_span("work")
        span.set_attributes({f"key {number}": number for number in range(100_000)})
        span.end()

        (record,) = rig.spans()
        assert record.extras is not None
        dropped = record.extras[records.EXTRA_DROPPED_ATTRIBUTES]
        assert len(record.attributes) + dropped == 100_000
        assert len(record.attributes) > 1000
        assert rig.session.encoder.cut_records == 1

    def test_very_many_events_and_links_are_bounded_and_counted(self, rig: RecordingRig) -> None:
        """The newest stay: the last event is the exception."""
        links = [Link(SpanContext(1, number + 1, False)) for number in range(20_000)]
        span = rig.tracer.start_span("work", links=links)
        for number in range(20_000):
            span.add_event("event", {"number": number})
        span.record_exception(ValueError("boom"))
        span.end()

        (record,) = rig.spans()
        assert record.extras is not None
        assert record.events[-1].name == "exception"
        assert len(record.events) + record.extras[records.EXTRA_DROPPED_EVENTS] == 20_001
        assert len(record.links) + record.extras[records.EXTRA_DROPPED_LINKS] == 20_000

    @pytest.mark.parametrize("name", [None, 5, b"bytes", ["a"], Hostile(), "\ud800", "x" * 100_000])
    def test_any_name_is_recorded(self, rig: RecordingRig, name: Any) -> None:
        """Names of any type."""
        span = rig.tracer.start_span(name)
        rig.tick()
        rig.tick()
        span.end()

        assert len(rig.spans()) == 1
        assert len(rig.starts()) == 2
        assert rig.guard.errors() == ()

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (10 * SECOND, 5 * SECOND),
            (-5, -10),
            (1.5e18, 1.6e18),
            (None, None),
            ("now", "later"),
            (1 << 70, 1 << 90),
            (float("nan"), float("-inf")),
        ],
    )
    def test_any_times_are_recorded(self, rig: RecordingRig, start: Any, end: Any) -> None:
        """Negative durations, floats, texts and times in the far future."""
        span = rig.tracer.start_span("work", start_time=start)
        span.add_event("event", timestamp=end)
        span.end(end)

        (record,) = rig.spans()
        assert isinstance(record.start_ns, int)
        assert isinstance(record.end_ns, int)
        assert rig.guard.errors() == ()

    def test_a_wall_clock_that_jumps_keeps_records_in_order(
        self, rig: RecordingRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Segments go by their sequence, and say by the monotonic clock how old they are."""
        offset = 0
        monkeypatch.setattr(lane_writer, "wall_ns", lambda: wall_ns() + offset * SECOND)
        for number in range(300):
            offset = (number % 7 - 3) * 3600
            rig.tracer.start_span(f"work {number}", attributes={"text": "x" * 4000}).end()

        segments = list(rig.ring.image.segments(LANE_SPANS))
        assert len(segments) > 10
        opened = [segment.opened_monotonic_ns for segment in segments]
        assert opened == sorted(opened)
        assert [record.name for record in rig.spans()] == [f"work {n}" for n in range(300)]

    def test_processors_that_fail_are_not_our_affair(self, rig: RecordingRig) -> None:
        """A status set to an error on an ended span, a context that is gone: still recorded."""
        span = rig.tracer.start_span("work")
        token = context.attach(trace.set_span_in_context(span))
        span.end()
        with silent_sdk():
            span.set_status(StatusCode.ERROR)
            span.set_attribute("late", 1)
        context.detach(token)

        (record,) = rig.spans()
        assert (record.status_code, record.attributes) == (0, {})


class TestPlaces:
    """Where the ring should go, and cannot, or cannot stay."""

    @pytest.fixture
    def small_tmpfs(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of 1 MiB."""
        path = tmp_path / "small"
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(path)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this user may not mount a file system")
        yield path
        subprocess.run(["umount", "--lazy", str(path)], check=True)

    def open_in(self, directory: Path) -> tuple[RecordingSession, list[str]]:
        """Return a session that was to record there, and what was refused."""
        session = RecordingSession(Settings(ring_directory=str(directory), window_bytes=2 << 20))
        refusals = session.open_ring({}).refusals
        return session, [refusal.path for refusal in refusals]

    @pytest.mark.parametrize("trouble", ["full", "read-only", "link", "open", "theirs", "file"])
    def test_recording_goes_on_elsewhere(self, small_tmpfs: Path, trouble: str) -> None:
        """A place that will not do is named, and another one found."""
        directory = small_tmpfs / "rings"
        if trouble == "file":
            directory.write_text("no directory")
        elif trouble == "full":
            (small_tmpfs / "of-the-application").write_bytes(bytes(700 << 10))
        elif trouble == "link":
            directory.symlink_to("/tmp")
        else:
            directory.mkdir()
            directory.chmod(0o1777 if trouble == "open" else 0o700)
        if trouble == "theirs":
            os.chown(directory, 12345, 12345)
        if trouble in {"read-only", "theirs", "open", "file", "link"}:
            subprocess.run(["mount", "-o", "remount,ro", str(small_tmpfs)], check=True)

        session, refused = self.open_in(directory)

        assert refused[0].startswith(str(directory))
        assert session.ring is not None
        assert session.ring.backing.path is not None
        assert small_tmpfs not in session.ring.backing.path.parents
        session.close()

    def test_a_file_system_that_fills_up_later_does_no_harm(self, small_tmpfs: Path) -> None:
        """The pages are ours already: no SIGBUS, and nothing is lost."""
        program = """
import sys
from pathlib import Path
from tests.support.rigs.recording_rig import RecordingRig
place = Path(sys.argv[1])
with RecordingRig(place / "ring", window_bytes="512KiB") as rig:
    assert rig.ring.backing.path.parent == place / "ring", rig.ring.backing.path
    try:
        (place / "filler").write_bytes(bytes(2 << 20))
    except OSError as error:
        print(error.strerror)
    for number in range(3000):
        rig.tracer.start_span("work", attributes={"text": "x" * 500}).end()
    counts = rig.session.lanes[0].counts()
    held = len(rig.recorded())
    print(counts.written_records, counts.written_records - counts.evicted_records == held)
"""
        result = subprocess.run(
            [sys.executable, "-c", program, str(small_tmpfs)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert result.stdout.splitlines() == ["No space left on device", "6000 True"]
        assert result.returncode == 0

    def test_a_ring_that_someone_deletes_goes_on(self, rig: RecordingRig) -> None:
        """Its memory stays; only nobody else finds it."""
        path = rig.ring.backing.path
        assert path is not None
        with RingReader(path) as reader:
            path.unlink()
            rig.tracer.start_span("work").end()

            assert len(list(resolved(reader.image))) == 2
        assert_all_held(rig, 1)


def test_spans_that_end_while_the_interpreter_does_say_nothing() -> None:
    """Finalizers at the very end meet a processor that has stopped, and no traceback appears."""
    program = """
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

class Last:
    def __init__(self, span):
        self.span = span
    def __del__(self):
        self.span.end()

provider = TracerProvider()
otel_flight.install(tracer_provider=provider)
tracer = provider.get_tracer("t")
last = Last(tracer.start_span("last"))
last.itself = last
import builtins
builtins.last = Last(tracer.start_span("very last"))
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
