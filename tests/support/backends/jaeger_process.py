"""A real Jaeger with its spans in memory, and what its query API says of them."""

from __future__ import annotations

import http
import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.backends.backend_process import BackendProcess
from tests.support.receivers.otlp_messages import ReceivedSpan, spans_in

_CONFIGURATION = """\
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [jaeger_storage_exporter]
  telemetry:
    metrics:
      level: none
extensions:
  jaeger_storage:
    backends:
      mem:
        memory:
          max_traces: {max_traces}
  jaeger_query:
    storage:
      traces: mem
    http:
      endpoint: 127.0.0.1:{query}
    grpc:
      endpoint: 127.0.0.1:{query_grpc}
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc}
      http:
        endpoint: 127.0.0.1:{http}
exporters:
  jaeger_storage_exporter:
    trace_storage: mem
"""
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


class JaegerProcess(BackendProcess):
    """Run Jaeger until the `with` block ends.

    Args:
        folder: for its configuration and its output.
        max_traces: how many it keeps; the oldest make room.
    """

    name = "jaeger"
    port_names: tuple[str, ...] = ("grpc", "http", "query", "query_grpc")

    def __init__(self, folder: Path, *, max_traces: int = 100_000) -> None:
        super().__init__(folder)
        self._max_traces = max_traces

    @property
    def query_url(self) -> str:
        """The base of its web pages and of its query API."""
        return self.address("query")

    def configuration(self) -> str:
        """Return Jaeger's configuration."""
        return _CONFIGURATION.format(max_traces=self._max_traces, **self.ports)

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return Jaeger's arguments."""
        return ["--config", str(configuration_path)]

    def is_ready(self) -> bool:
        """Whether both its query API and its receiver answer."""
        status, _ = self.get("http", "/")  # 404: there is nothing at this path, but someone
        return status > 0 and self.services() is not None

    def services(self) -> list[str]:
        """Return the names of the services it has spans of."""
        answer = self.get_json("query", "/api/services")
        return sorted(answer["data"] or [])

    def find_traces(
        self,
        service: str,
        *,
        tags: Mapping[str, str] | None = None,
        limit: int = 10_000,
    ) -> list[dict[str, Any]]:
        """Return the traces of the last hour with a span of the service that has all the tags.

        In Jaeger's own JSON, as its search page gets them.
        """
        query: dict[str, object] = {"service": service, "lookback": "1h", "limit": limit}
        if tags:
            query["tags"] = json.dumps(dict(tags))
        answer = self.get_json("query", "/api/traces", query)
        found: list[dict[str, Any]] = answer["data"] or []
        return found

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """Return a trace in Jaeger's own JSON, as its trace page gets it; None: not there."""
        answer = self.get_json("query", f"/api/traces/{trace_id}")
        found: dict[str, Any] | None = answer["data"][0] if answer and answer["data"] else None
        return found

    def stored_spans(self, trace_id: str) -> list[ReceivedSpan]:
        """Return the spans of a trace as they are stored: a span that came twice is there twice.

        The other queries, as the web pages use them, hide one of two equal spans.
        """
        path = f"/api/v3/traces/{trace_id}"
        status, body = self.get("query", path, {"raw_traces": "true"})
        if status == http.HTTPStatus.NOT_FOUND:
            return []
        assert status == http.HTTPStatus.OK, body[:500]
        # A long trace comes as several documents, one after the other.
        text, decoder, position = body.decode(), json.JSONDecoder(), 0
        spans: list[ReceivedSpan] = []
        while position < len(text):
            document, position = decoder.raw_decode(text, position)
            message = ParseDict(_as_proto_json(document["result"]), ExportTraceServiceRequest())
            spans.extend(spans_in(message))
            while position < len(text) and text[position].isspace():
                position += 1
        return spans


def _as_proto_json(value: Any, key: str = "") -> Any:
    """Return OTLP-JSON as protobuf's own JSON, which differs in the notation of ids."""
    if isinstance(value, dict):
        return {name: _as_proto_json(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_proto_json(item) for item in value]
    if key in _IDS:
        return b64encode(bytes.fromhex(value)).decode()
    return value
