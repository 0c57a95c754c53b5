"""The exporter of the application's own pipeline: where it sends, to send incidents there as well.

What is set in code, or by whoever starts the service, is known to nobody but that exporter. It
cannot be used itself: what we tap would be the application's own requests. So one like it is made,
of what the official exporters keep in each release so far; another class says nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

from otel_flight.delivery.receiver.signals import SPANS, Protocol
from otel_flight.delivery.receiver.taps import session_of

_COPIED_FROM_SESSION: Final = ("auth", "cert", "proxies", "trust_env", "verify")
_COPIED_FROM_EXPORTER: Final = ("_certificate_file", "_client_cert")
"""Old HTTP exporters give these to their session with each request."""
_MADE_AGAIN: Final = frozenset({"content-encoding", "content-type", "user-agent"})
"""An exporter adds these headers itself."""


@dataclass(frozen=True)
class PipelineExporter:
    """What was found out about an official exporter of spans.

    Attributes:
        original: the exporter.
        protocol: what it speaks.
        endpoint: where it sends, as it has that itself.
        options: what makes another one like it.
        is_encrypted: whether its connections are.
    """

    original: Any
    protocol: Protocol
    endpoint: str
    options: dict[str, Any]
    is_encrypted: bool

    def complete(self, made: Any) -> None:
        """Give an exporter that was made with the options what only its session can be given."""
        session, ours = session_of(self.original), session_of(made)
        if session is None or ours is None:
            return
        for name in _COPIED_FROM_SESSION:
            setattr(ours, name, getattr(session, name))
        ours.headers.update(session.headers)
        for name in _COPIED_FROM_EXPORTER:
            if hasattr(self.original, name):
                setattr(made, name, getattr(self.original, name))


def protocol_of(exporter: object) -> Protocol | None:
    """Return what an official exporter of spans speaks; None: it is another one, or a subclass."""
    for protocol, name in SPANS.modules.items():
        module = sys.modules.get(name)  # nobody has one of a module that is not imported
        if module is not None and type(exporter) is getattr(module, SPANS.exporter, None):
            return protocol
    return None


def endpoint_of(exporter: object) -> str:
    """Return where an official exporter sends; of gRPC without a scheme."""
    return str(getattr(exporter, "_endpoint", ""))


def ask(exporter: Any) -> PipelineExporter | None:
    """Return what can be found out about an exporter; None: it is none that can be asked."""
    protocol, endpoint = protocol_of(exporter), endpoint_of(exporter)
    if protocol is None or not endpoint:
        return None
    is_grpc = protocol == "grpc"
    if is_grpc and not hasattr(exporter, "_insecure"):  # old releases forget that
        return None
    client = exporter if hasattr(exporter, "_headers") else getattr(exporter, "_client", None)
    headers = dict(getattr(client, "_headers", None) or {})
    options: dict[str, Any] = {
        "endpoint": endpoint,
        "headers": {key: headers[key] for key in headers if key.lower() not in _MADE_AGAIN},
        "compression": getattr(exporter, "_compression", None),
        "timeout": getattr(client, "_timeout", None),
    }
    is_encrypted = endpoint.startswith("https:")
    if is_grpc:
        is_encrypted = not exporter._insecure
        options["insecure"] = exporter._insecure
        options["credentials"] = exporter._credentials
    return PipelineExporter(exporter, protocol, endpoint, options, is_encrypted)
