"""Endpoints, with a scheme and without: where they lead, and what of them may be shown."""

from __future__ import annotations

import pytest

from otel_flight.delivery.receiver.endpoints import (
    port_of,
    shown_endpoint,
    with_path,
)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://c:4318", 4318),
        ("c:4318", 4318),
        ("user:secret@c:4318/x", 4318),
        ("//c:4318", 4318),
        ("c", None),
        ("http://c:port", None),
        ("http://[c:1", None),
        ("", None),
    ],
)
def test_the_port(endpoint: str, expected: int | None) -> None:
    """As far as there is one."""
    assert port_of(endpoint) == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/own", "http://c:4318/own"),
        ("https://u:p@c?key=1", "https://u:p@c/v1/traces?key=1"),
    ],
)
def test_the_path_is_added(endpoint: str, expected: str) -> None:
    """Where there is none."""
    assert with_path(endpoint, "/v1/traces") == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://user:s3cret@c:4318/x?key=s3cret#s3cret", "http://c:4318/x"),
        ("user:s3cret@c:4317", "c:4317"),
        ("s3cret@c:4317", "c:4317"),
        ("c:4317?key=s3cret", "c:4317"),
        ("//user:s3cret@c:4317", "c:4317"),
        ("/login?key=s3cret", "/login"),
        ("c", "c"),
        ("http://[s3cret", "an endpoint that cannot be read"),
    ],
)
def test_secrets_are_not_shown(endpoint: str, expected: str) -> None:
    """Neither user nor password nor what a query holds."""
    assert shown_endpoint(endpoint) == expected
