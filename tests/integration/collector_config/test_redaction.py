"""What collector-config/redaction.yaml promises, with a real Collector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    UNFINISHED,
    application_spans,
    attributes,
    key,
    of_kind,
    run_scenario,
    unstamped,
)
from tests.support.backends.shipped_collector import ShippedCollector, target_of
from tests.support.receivers.otlp_client import made_span, request_of, send, text
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [*needs_backends("collector"), pytest.mark.timeout(120)]

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJl"
# Each with what is to be left of it.
SECRET_VALUES = [
    ("Authorization: Bearer abcDEF123.456-s3cr3t", "Authorization: ****"),
    (f"the token {JWT} has expired", "the token **** has expired"),
    ("https://example.org/?a=1&password=s3cr3t&b=2", "https://example.org/?a=1&****&b=2"),
    ('{"user": "u", "password": "s3 cr3t", "age": 4}', '{"user": "u", "****, "age": 4}'),
    (r"{\"api_key\": \"s3cr3t\"}", r"{\"****}"),
    ("{'access_token': 's3cr3t'}", "{'****}"),
    ("postgres://shop:s3cr3t@db:5432/shop", "postgres****db:5432/shop"),
    ("AKIAIOSFODNN7EXAMPLE", "****"),
    ("ghp_" + "s3cr3t" * 6, "****"),
    ("paid with 4111 1111 1111 1111 today", "paid with **** today"),
    ("paid with 378282246310005", "paid with ****"),
    ("-----BEGIN RSA PRIVATE KEY-----\ns3cr3t\n-----END RSA PRIVATE KEY-----\n", "****\n"),
]
SECRET_NAMES = [
    "password",
    "db.password",
    "http.request.header.authorization",
    "http.response.header.set-cookie",
    "http.request.header.x-api-key",
    "apiKey",
    "client_secret",
    "user.token",
    "refreshToken",
]
INNOCENT = {
    "gen_ai.usage.input_tokens": "1200",
    "token.count": "17",
    "session.id": "00112233-4455",
    "author": "me",
    "message": "the password is wrong; no secret was given: try again",
    "digits": "1764042000000000000",
    "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
    "url.full": "https://example.org:8443/a?b=c@d",
    "ö": "größe ✓",
}


@pytest.fixture
def backend() -> Iterator[OtlpReceiver]:
    """Run a receiver in the backend's place."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def collector(backend: OtlpReceiver, tmp_path: Path) -> Iterator[ShippedCollector]:
    """Run the Collector before it."""
    variables = {"BACKEND_ENDPOINT": target_of(backend.grpc_endpoint)}
    with ShippedCollector(tmp_path / "collector", "redaction.yaml", variables) as process:
        yield process


def passed(collector: ShippedCollector, backend: OtlpReceiver, span: Span) -> Span:
    """Return a span as it is after the Collector."""
    assert send(collector.http_endpoint, request_of(span)) == 200
    collector.stop()  # which sends what it still holds
    (item,) = backend.spans()
    return item.span


def texts(items: Iterable[KeyValue]) -> dict[str, str]:
    """Return the attributes that are texts."""
    return {each.key: each.value.string_value for each in items}


@pytest.mark.parametrize(("value", "rest"), SECRET_VALUES)
def test_secret_values_are_masked_wherever_they_are(
    backend: OtlpReceiver, collector: ShippedCollector, value: str, rest: str
) -> None:
    """On a span, on an event, in a list: the secret is gone, what stands around it is not."""
    span = made_span(1, 1, text("note", value))
    span.attributes.append(
        KeyValue(
            key="list",
            value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=value)])),
        )
    )
    span.events.add(name="exception").attributes.append(text("exception.message", value))

    found = passed(collector, backend, span)

    assert texts(found.attributes)["note"] == rest
    assert texts(found.events[0].attributes) == {"exception.message": rest}
    assert "****" in texts(found.attributes)["list"]
    assert b"s3cr3t" not in found.SerializeToString()


@pytest.mark.parametrize(("value", "rest"), SECRET_VALUES[:7])
def test_the_status_says_no_secret(
    backend: OtlpReceiver, collector: ShippedCollector, value: str, rest: str
) -> None:
    """An exception's message that became the description of the status is masked as well."""
    span = made_span(1, 1)
    span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=f"ValueError: {value}"))

    found = passed(collector, backend, span)

    assert found.status == Status(code=Status.STATUS_CODE_ERROR, message=f"ValueError: {rest}")


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_what_has_a_secret_name_is_masked_whole(
    backend: OtlpReceiver, collector: ShippedCollector, name: str
) -> None:
    """Under such a name nothing passes, text or list."""
    values = ArrayValue(values=[AnyValue(string_value="anything")])
    span = made_span(1, 1, text(name, "anything"))
    span.events.add(name="e").attributes.append(
        KeyValue(key=name, value=AnyValue(array_value=values))
    )

    found = passed(collector, backend, span)

    assert texts(found.attributes) == {name: "****"}
    assert texts(found.events[0].attributes) == {name: "****"}


def test_what_only_looks_similar_passes(backend: OtlpReceiver, collector: ShippedCollector) -> None:
    """Names and values that are near those of secrets stay as they are."""
    span = made_span(1, 1, *(text(name, value) for name, value in INNOCENT.items()))

    found = passed(collector, backend, span)

    assert texts(found.attributes) == INNOCENT


@pytest.mark.parametrize("letter", ["x", "é", "€", "𝄞"])
@pytest.mark.parametrize("offset", range(4))
def test_long_texts_are_cut_between_characters(
    backend: OtlpReceiver, collector: ShippedCollector, letter: str, offset: int
) -> None:
    """A text keeps its first 2048 bytes, on an event 16 KiB, without half characters."""
    long = "x" * offset + letter * 20_000
    span = made_span(1, 1, text("body", long), text("short", letter * 100))
    span.events.add(name="exception").attributes.append(text("exception.stacktrace", long))

    found = passed(collector, backend, span)

    body = texts(found.attributes)["body"]
    stack = texts(found.events[0].attributes)["exception.stacktrace"]
    for kept, limit in ((body, 2048), (stack, 16_384)):
        assert long.startswith(kept)
        assert limit - len(letter.encode()) < len(kept.encode()) <= limit
    assert texts(found.attributes)["short"] == letter * 100


def test_an_incident_without_secrets_is_untouched(
    backend: OtlpReceiver, collector: ShippedCollector, tmp_path: Path
) -> None:
    """Every span of an incident arrives once, equal to what the SDK would have exported."""
    scenario = run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": collector.grpc_endpoint}
    )
    collector.stop()  # which sends what it still holds

    found = application_spans(backend.spans())
    ended = {key(item): item for item in found if UNFINISHED not in attributes(item)}
    assert len(found) == len(scenario.ended) + len(scenario.open)
    assert sorted(ended) == sorted(map(key, scenario.ended))
    for original in scenario.ended:
        item = ended[key(original)]
        assert unstamped(item) == unstamped(original)
        assert item.resource == original.resource
        assert item.scope == original.scope
    assert len(of_kind(backend.spans(), "incident")) == 1
