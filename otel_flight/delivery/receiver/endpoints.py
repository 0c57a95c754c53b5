"""Endpoints as OpenTelemetry has them, with a scheme or without, and how they may be shown."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit


def port_of(endpoint: str) -> int | None:
    """Return the port, None where there is none or it is no number."""
    try:
        return _split(endpoint).port
    except ValueError:
        return None


def with_path(endpoint: str, path: str) -> str:
    """Return where an HTTP exporter sends, which takes an endpoint that it is given as it is."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(path=path)) if parts.path in ("", "/") else endpoint


def shown_endpoint(endpoint: str) -> str:
    """Return an endpoint without user, password and query, which may hold secrets."""
    try:
        parts = _split(endpoint)
    except ValueError:
        return "an endpoint that cannot be read"
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
    return bare if parts.scheme else bare.removeprefix("//")


def _split(endpoint: str) -> SplitResult:
    is_url = "://" in endpoint or endpoint.startswith("/")
    return urlsplit(endpoint if is_url else f"//{endpoint}")
