"""The recorder as an application holds it."""

from __future__ import annotations

import dataclasses
import gc
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_flight import FlightRecorder, FlightSpanProcessor, Settings
from otel_flight.errors import InvalidSetting, RecorderStopped, UnknownSetting
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool


@pytest.fixture
def recorder() -> Iterator[FlightRecorder]:
    """Return a recorder that is not started, and stop it in the end."""
    recorder = FlightRecorder(window_bytes="512KiB", tail_seconds=0, metrics=False)
    yield recorder
    recorder.stop()
    assert recorder.statistics().errors == ()


def record(recorder: FlightRecorder, *names: str) -> None:
    """Record local roots of these names."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(FlightSpanProcessor(recorder))
    tracer = provider.get_tracer("test")
    for name in names:
        tracer.start_span(name).end()


def test_start_and_stop_may_be_repeated(recorder: FlightRecorder, own_environment: Path) -> None:
    """Both are idempotent; the ring is there while it records and gone afterwards."""
    enabled = [recorder.enabled]
    recorder.start()
    ring = Path(recorder.statistics().ring_path)
    recorder.start()
    enabled.append(recorder.enabled)
    assert recorder.statistics().ring_path == str(ring)
    assert ring.parent == own_environment

    recorder.stop()
    recorder.stop()
    enabled.append(recorder.enabled)

    assert enabled == [False, True, False]
    assert not ring.exists()


def test_a_second_flight_records_again(recorder: FlightRecorder) -> None:
    """A processor goes on recording after stop and start, into a fresh window."""
    record(recorder, "one")
    recorder.stop()
    record(recorder, "two")

    names = [span.record.name for span in recorder.snapshot().window.spans()]
    assert names == ["two"]


def test_the_window_is_never_larger_than_its_setting(recorder: FlightRecorder) -> None:
    """The byte cap holds exactly: the ring's file is within it, whatever was recorded."""
    record(recorder, *(f"span {number}" for number in range(20_000)))

    statistics = recorder.statistics()

    assert Path(statistics.ring_path).stat().st_size == statistics.window_bytes <= 512 * 1024
    held = sum(1 for _ in recorder.snapshot().window.spans())
    starts = sum(1 for _ in recorder.snapshot().window.starts())
    assert statistics.spans.written_records == held + starts + statistics.spans.evicted_records


def test_as_a_context_manager(own_environment: Path) -> None:
    """It records inside the block and leaves nothing behind it."""
    with FlightRecorder(metrics=False) as recorder:
        enabled = recorder.enabled

    assert (enabled, recorder.enabled) == (True, False)
    assert list(own_environment.iterdir()) == []


def test_the_window_can_be_written_at_any_moment(recorder: FlightRecorder, tmp_path: Path) -> None:
    """To a path or a stream, as often as asked, without making an incident."""
    record(recorder, "a", "b")
    stream = io.BytesIO()

    recorder.write_to(stream)
    written = recorder.write_to(tmp_path / "now.flight")

    (tmp_path / "stream.flight").write_bytes(stream.getvalue())
    for name in ("now.flight", "stream.flight"):
        incident = read_incident(tmp_path / name)
        assert [span.record.name for span in incident.window.spans()] == ["a", "b"]
        assert incident.manifest.trigger is None
    assert written.manifest.coverage.is_complete
    assert recorder.statistics().firings == {}


def test_many_may_write_at_once(recorder: FlightRecorder) -> None:
    """Concurrent snapshots all succeed, while spans go on being recorded."""
    record(recorder, *(f"span {number}" for number in range(500)))
    counts: list[int] = []

    def take() -> None:
        counts.append(sum(1 for _ in recorder.snapshot().window.spans()))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [500] * 8


def test_when_stopped_there_is_no_window(recorder: FlightRecorder) -> None:
    """Asking for one is an error that says so; triggering is not, for it may come at any time."""
    with pytest.raises(RecorderStopped, match="snapshot"):
        recorder.snapshot()
    assert recorder.trigger("too early") is None


def test_a_manual_trigger_makes_an_incident(recorder: FlightRecorder, tmp_path: Path) -> None:
    """The id it returns is the id of a file in the spool, with reason and attributes."""
    record(recorder, "work")
    incident_id = recorder.trigger("health check failed", check="db")
    recorder.stop()

    assert incident_id is not None
    spool = Spool(tmp_path / "spool", 1 << 30, 100)
    manifest = read_incident(spool.find(incident_id).path).manifest
    assert manifest.title == "health check failed"
    assert manifest.causes[0].attributes == {"check": "db"}
    assert recorder.statistics().incidents_written == 1


def test_what_waited_for_the_next_tick_is_recorded_at_the_end() -> None:
    """A collection just before the stop fires its trigger, although no tick came any more."""
    recorder = FlightRecorder(
        gc_pause_seconds="1ms", gc_pause_trigger_seconds="10ms", tick_seconds=10, metrics=False
    )
    recorder.start()
    heap = [[number] for number in range(1_000_000)]

    gc.collect()
    del heap
    recorder.stop()

    assert ("gc_pause", "opened") in recorder.statistics().firings


def test_a_manual_trigger_belongs_to_the_current_span(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    """Called within a request, the incident points at that request."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(FlightSpanProcessor(recorder))
    with provider.get_tracer("test").start_as_current_span("request") as span:
        incident_id = recorder.trigger("odd result")
    recorder.stop()

    assert incident_id is not None
    spool = Spool(tmp_path / "spool", 1 << 30, 100)
    (cause,) = read_incident(spool.find(incident_id).path).manifest.causes
    assert cause.span_id == f"{span.get_span_context().span_id:016x}"


def test_the_manual_trigger_can_be_off() -> None:
    """`manual_trigger=False` makes calls of `trigger` do nothing."""
    with FlightRecorder(manual_trigger=False, metrics=False) as recorder:
        assert recorder.trigger("x") is None
        assert recorder.statistics().firings == {}


def test_concurrent_triggers_share_one_incident() -> None:
    """Everybody who fires while an incident is open gets its id."""
    recorder = FlightRecorder(window_bytes="512KiB", tail_seconds=60, metrics=False)
    recorder.start()
    ids: list[str | None] = []
    barrier = threading.Barrier(8)

    def fire(number: int) -> None:
        barrier.wait()
        ids.append(recorder.trigger(f"cause {number}"))

    threads = [threading.Thread(target=fire, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop()

    assert len(set(ids)) == 1
    assert recorder.statistics().incidents_written == 1


def test_statistics_are_a_value(recorder: FlightRecorder) -> None:
    """They do not change under the reader, and stay readable after the stop."""
    record(recorder, "one")
    before = recorder.statistics()
    record(recorder, "two")

    assert before.spans.written_records == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.open_spans = 7  # type: ignore[misc]
    recorder.stop()
    assert not recorder.statistics().is_recording
    assert recorder.statistics().spans.written_records == 4


def test_a_wrong_argument_raises_and_names_it() -> None:
    """Arguments are code: a mistake is an error, not a warning."""
    with pytest.raises(InvalidSetting, match=r"window_bytes.*'much'"):
        FlightRecorder(window_bytes="much")
    with pytest.raises(UnknownSetting, match="window_bytes"):
        FlightRecorder(window_byte=1)


def test_disabled_means_nothing_happens(own_environment: Path) -> None:
    """With `enabled` off a start does nothing, and a processor records nothing."""
    recorder = FlightRecorder(Settings(enabled=False))
    record(recorder, "unseen")

    assert not recorder.enabled
    assert not own_environment.exists()
