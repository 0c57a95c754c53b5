"""Two hundred secrets, in every place that a secret can be, are found nowhere afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from otel_flight import install, uninstall
from otel_flight.ground.deadline import Deadline
from otel_flight.incidents.flight_file import read_incident
from otel_flight.recorder import FlightRecorder
from otel_flight.redaction.known_secrets import REDACTED
from otel_flight.testing.flight_recording import flight_recording
from tests.support.incidents.command_line import run as run_command
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.spans.secret_corpus import Secret, secrets

WAYS: Final[dict[str, dict[str, Any]]] = {
    "light": {},
    "light, in Python": {"light_spans": "python"},
    "processor": {"light_spans": "off"},
    "nothing compiled": {"compiled": False},
}
"""How spans can be recorded."""
LINKED: Final = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
_SECONDS: Final = 30.0
_logger: Final = logging.getLogger("shop")


def put_everywhere(provider: TracerProvider, secret: Secret) -> None:
    """Make spans, events, links and log records of a program that does not look after a secret."""
    tracer = provider.get_tracer("shop", attributes={secret.name: secret.value})
    attributes = {secret.name: secret.value}
    tracer.start_span("plain", attributes=attributes).end()
    tracer.start_span(f"GET {secret.text}").end()
    span = tracer.start_span("whole", links=[Link(LINKED, attributes)])
    span.set_attribute("texts", [secret.text, "other"])
    span.set_attribute("db.query.text", secret.text)
    span.add_event("event", attributes)
    span.add_event(f"event {secret.text}")
    span.set_status(Status(StatusCode.ERROR, f"failed: {secret.text}"))
    try:
        raise_with(secret.text)
    except ValueError as error:
        span.record_exception(error)
        _logger.exception("failed: %s", secret.text)
    span.end()
    open_span = tracer.start_span("open", attributes=attributes)
    open_span.set_attribute("text", secret.text)
    KEPT.append(open_span)


KEPT: list[Any] = []
"""Spans that do not end."""


def raise_with(local: str) -> None:
    """Raise an error whose message shows a local variable."""
    raise ValueError(f"cannot parse {local!r}")


@contextmanager
def service(directory: Path, endpoint: str, **settings: Any) -> Iterator[Any]:
    """Install a recorder; its ring and its spool are in a directory."""
    named = {each.name: each.value for each in secrets() if each.value == each.core}
    texts = {f"text {number}": each.text for number, each in enumerate(secrets())}
    resource = Resource({"service.name": "shop", **dict(list(named.items())[:30]), **texts})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    recorder = install(
        tracer_provider=provider,
        ring_directory=str(directory / "ring"),
        spool_directory=str(directory / "spool"),
        endpoint=endpoint,
        protocol="http/protobuf",
        error_span="off",
        tail_seconds=0.0,
        handle_sigterm=False,
        metrics=False,
        **settings,
    )
    try:
        yield recorder, provider
    finally:
        KEPT.clear()
        uninstall()


def bytes_of_spool(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what is in a spool, as it is and as it reads."""
    for path in directory.iterdir():
        yield path.name, path.read_bytes()
    for path in directory.glob("*.flight"):
        incident = read_incident(path)
        yield f"{path.name}: manifest", msgspec.json.encode(incident.manifest)
        for segment in incident.window.segments:
            yield f"{path.name}: segment", segment.segment.payload
        yield f"{path.name}: terminal", run_command("show", str(path)).output.encode()


def found_in(secrets_wanted: list[Secret], where: str, data: bytes) -> list[str]:
    """Return which secrets are in some bytes."""
    return [
        f"{where}: {around(data, each.core.encode())!r}"
        for each in secrets_wanted
        if each.core.encode() in data
    ]


def around(data: bytes, core: bytes) -> bytes:
    """Return where a secret is."""
    place = data.index(core)
    return data[max(0, place - 60) : place + len(core) + 20]


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_leaves_the_application(
    way: str, tmp_path: Path, own_environment: Path, receiver: OtlpReceiver
) -> None:
    """It is not in the ring, the spool, what is sent, nor on the terminal."""
    left: list[str] = []
    corpus = secrets()
    with service(tmp_path, receiver.http_endpoint, **WAYS[way]) as (recorder, provider):
        for secret in corpus:
            put_everywhere(provider, secret)
        worst = corpus[60]
        recorder.trigger(f"lost {worst.text}", **{each.name: each.value for each in corpus})
        settle(recorder)
        for path in (tmp_path / "ring").iterdir():
            ring = path.read_bytes()
            assert path.suffix != ".ring" or REDACTED.encode() in ring
            left += found_in(corpus, "ring", ring)
    for where, data in bytes_of_spool(tmp_path / "spool"):
        left += found_in(corpus, where, data)
    sent = b"".join(each.message.SerializeToString() for each in receiver.requests)

    assert len(sent) > 100_000
    left += found_in(corpus, "sent", sent)
    assert left == []


def settle(recorder: FlightRecorder) -> None:
    """Wait until the incident is written and delivered."""
    run = recorder._run
    assert run is not None
    assert run.closing.close_incidents(Deadline.after(_SECONDS))


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver with nothing special about it."""
    with OtlpReceiver() as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_the_application_keeps_its_secrets(way: str, own_environment: Path) -> None:
    """Its spans, and what its own exporter gets of them, are as it made them."""
    theirs = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    with flight_recording(provider, **WAYS[way]):
        span: Any = provider.get_tracer("shop").start_span("a", attributes={"password": "abc"})
        span.add_event("token=abc")
        span.end()

        assert span.attributes == {"password": "abc"}
        assert theirs.get_finished_spans()[0].attributes == {"password": "abc"}
        assert theirs.get_finished_spans()[0].events[0].name == "token=abc"


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, {"password": REDACTED, "pin": "1234", "ci.token": REDACTED}),
        (
            {"redact_names": ("*pin",)},
            {"password": REDACTED, "pin": REDACTED, "ci.token": REDACTED},
        ),
        ({"redact_allow": ("ci.*",)}, {"password": REDACTED, "pin": "1234", "ci.token": "abc"}),
        ({"redact": False}, {"password": "abc", "pin": "1234", "ci.token": "abc"}),
    ],
    ids=["default", "redact_names", "redact_allow", "redact"],
)
@pytest.mark.parametrize("way", WAYS)
def test_the_settings_say_what_is_taken_out(
    way: str, settings: dict[str, Any], kept: dict[str, Any], own_environment: Path
) -> None:
    """Of spans, and of what a trigger is given, in the same way."""
    attributes = {"password": "abc", "pin": "1234", "ci.token": "abc"}
    with flight_recording(**WAYS[way], **settings) as recording:
        recording.tracer_provider.get_tracer("shop").start_span("a", attributes=attributes).end()
        recording.recorder.trigger("look", **attributes)
        (incident,) = recording.incidents()
        (item,) = incident.window.spans()

        assert item.record.attributes == kept
        assert incident.manifest.causes[0].attributes == kept


def test_triggers_see_no_secret(own_environment: Path) -> None:
    """What is logged is in the cause of an incident as it is in the window."""
    with flight_recording(log_trigger_level="ERROR") as recording:
        recording.tracer_provider.get_tracer("shop").start_span("a").end()
        _logger.error("failed: password=%s", "abc")
        (incident,) = recording.incidents()

        assert "abc" not in msgspec.json.encode(incident.manifest).decode()
        assert f"password={REDACTED}" in msgspec.json.encode(incident.manifest).decode()
