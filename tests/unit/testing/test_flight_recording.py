"""A recorder for one test, as the tests of applications use it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_flight
from otel_flight.errors import CannotRecord, InvalidSetting, UnknownSetting
from otel_flight.testing import FakeClock, FlightRecording, flight_recording

pytest_plugins = ["otel_flight.testing.fixtures"]


def fail(recording: FlightRecording, name: str = "GET /pay") -> None:
    """End a request with an error, which has a query below it."""
    tracer = recording.tracer_provider.get_tracer("shop")
    with suppress(LookupError), tracer.start_as_current_span(name):
        tracer.start_span("query").end()
        raise LookupError("no card")


def test_an_incident_is_returned_with_what_it_holds(flight: FlightRecording) -> None:
    """Its causes, its findings and its spans; the tail is not waited for."""
    fail(flight)

    (incident,) = flight.incidents()

    assert [cause.title for cause in incident.manifest.causes] == ["error span GET /pay"]
    assert incident.manifest.findings
    assert [span.name for span in incident.window.spans()] == ["query", "GET /pay"]
    assert incident.manifest.closed_ns - incident.manifest.opened_ns < 2e9


def test_what_would_have_been_sent_is_in_memory(flight: FlightRecording) -> None:
    """The spans, and what the recorder adds to them; nothing is sent anywhere."""
    fail(flight)
    flight.incidents()

    names = {span.name for span in flight.exported_spans()}

    assert {"incident: error span GET /pay", "query", "GET /pay"} <= names


def test_nothing_happened(flight: FlightRecording) -> None:
    """Healthy requests make no incident."""
    flight.tracer_provider.get_tracer("shop").start_span("GET /").end()

    assert flight.incidents() == []
    assert flight.exported_spans() == []


def test_everything_so_far_is_seen(flight: FlightRecording) -> None:
    """Also what fired at the very last moment, time after time, and on another thread."""
    names = [f"GET /{letter}" for letter in "abcdefghij"]
    for number, name in enumerate(names, start=1):
        thread = threading.Thread(target=fail, args=(flight, name))
        thread.start()
        thread.join()
        assert len(flight.incidents()) == number

    subjects = [incident.manifest.causes[0].subject for incident in flight.incidents()]
    assert subjects == names


def test_firings_before_it_is_asked_are_one_incident(flight: FlightRecording) -> None:
    """As in production, where an incident stays open for its tail."""
    fail(flight, "GET /a")
    fail(flight, "GET /b")

    (incident,) = flight.incidents()

    assert [cause.subject for cause in incident.manifest.causes] == ["GET /a", "GET /b"]


def test_unsampled_spans_are_recorded() -> None:
    """The provider's sampler is wrapped, and restored at the end."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)

    with flight_recording(provider) as recording:
        fail(recording)
        (incident,) = recording.incidents()

    assert [span.name for span in incident.window.spans()] == ["query", "GET /pay"]
    assert provider.sampler is ALWAYS_OFF


def test_the_clock_can_be_fake() -> None:
    """The same cause makes no second incident until its cooldown is over."""
    clock = FakeClock()
    counts = []
    with flight_recording(clock=clock, cooldown_seconds="1m") as recording:
        for seconds in (0, 59, 2):
            clock.advance(seconds)
            fail(recording)
            counts.append(len(recording.incidents()))

    assert counts == [1, 1, 2]


def test_a_span_that_does_not_end_in_fake_time() -> None:
    """It is looked for by the recorder's clock, and before the incidents are returned."""
    clock = FakeClock()
    limits: dict[str, Any] = {"slow_root_seconds": None, "stuck_span_seconds": 30}
    limits["gc_pause_trigger_seconds"] = None  # collections are real, and long on a busy machine
    with flight_recording(clock=clock, **limits) as recording:
        recording.tracer_provider.get_tracer("shop").start_span("poll")
        before = recording.incidents()
        clock.advance(31)
        (incident,) = recording.incidents()

    assert before == []
    assert [(cause.trigger, cause.subject) for cause in incident.manifest.causes] == [
        ("stuck_span", "poll")
    ]


def test_the_application_finds_the_recorder(flight: FlightRecording) -> None:
    """Code under test that asks for it, or installs it again, gets this one."""
    again = otel_flight.install(tracer_provider=flight.tracer_provider)

    assert otel_flight.get_recorder() is again is flight.recorder


def test_an_application_may_stop_it(flight: FlightRecording) -> None:
    """What was open is closed then; the incidents are still there to be asked for."""
    fail(flight)
    flight.recorder.stop()

    assert len(flight.incidents()) == 1
    assert flight.exported_spans()


def test_nothing_is_left_behind(own_environment: Path) -> None:
    """No recorder, no files; an incident can be read on."""
    with flight_recording() as recording:
        fail(recording)
        (incident,) = recording.incidents()
        directory = Path(recording.recorder.settings.spool_directory or "").parent
        assert directory.is_dir()

    assert not directory.exists()
    assert otel_flight.get_recorder() is None
    assert list(incident.window.spans())
    assert not own_environment.exists()


def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have variables set, on purpose or by mistake."""
    monkeypatch.setenv("OTEL_FLIGHT_ENABLED", "false")
    monkeypatch.setenv("OTEL_FLIGHT_WINDOW", "nonsense")

    with flight_recording() as recording:
        assert recording.recorder.enabled
        assert recording.recorder.settings.window_seconds == 60


@contextmanager
def installed() -> Iterator[None]:
    """Have a recorder installed already."""
    otel_flight.install(
        tracer_provider=TracerProvider(shutdown_on_exit=False), metrics=False, handle_sigterm=False
    )
    yield
    otel_flight.uninstall()


def test_a_second_recorder_is_refused() -> None:
    """There is one installed recorder in a process: the message says what to do."""
    with installed(), pytest.raises(CannotRecord, match=r"uninstall\(\)"), flight_recording():
        pass
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(otel_flight.FlightSpanProcessor())
    with pytest.raises(CannotRecord, match="a `FlightSpanProcessor`"), flight_recording(provider):
        pass
    provider.shutdown()


def test_wrong_arguments_raise() -> None:
    """A provider that records nothing, a setting that does not exist or cannot be."""
    with (
        pytest.raises(CannotRecord, match="not a tracer provider of the SDK"),
        flight_recording(trace.NoOpTracerProvider()),
    ):
        pass
    with pytest.raises(CannotRecord, match="`enabled` is off"), flight_recording(enabled=False):
        pass
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_SDK_DISABLED", "true")
        with pytest.raises(CannotRecord, match="OTEL_SDK_DISABLED"), flight_recording():
            pass
    with pytest.raises(UnknownSetting), flight_recording(window="1m"):
        pass
    with pytest.raises(InvalidSetting), flight_recording(tail_seconds="soon"):
        pass
    assert otel_flight.get_recorder() is None


class TestWithOptions:
    """A fixture of the name `flight_options` is asked for the arguments."""

    @pytest.fixture
    def flight_options(self) -> dict[str, Any]:
        """Take no notice of errors, and have a clock of our own."""
        return {"error_span": "off", "clock": FakeClock()}

    def test_the_options_are_used(self, flight: FlightRecording) -> None:
        """A failed request makes no incident here."""
        fail(flight)

        assert flight.incidents() == []
        assert flight.recorder.settings.error_span == "off"


def test_a_busy_machine_is_an_error(flight: FlightRecording) -> None:
    """It is not taken for a test in which nothing happened."""
    fail(flight)

    with pytest.raises(TimeoutError, match="within 0 s"):
        flight.incidents(timeout_seconds=0)
