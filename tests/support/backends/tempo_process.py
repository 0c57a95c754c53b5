"""A real Tempo with its blocks in a folder, and what its query API says of them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.backends.backend_process import BackendProcess
from tests.support.receivers.otlp_messages import ReceivedSpan, spans_in

# Everything that would listen or call elsewhere is named: rings in memory, no usage reports.
_CONFIGURATION = """\
target: all
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {query}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {internal}
  log_level: info
usage_report:
  reporting_enabled: false
memberlist:
  bind_addr: [127.0.0.1]
  bind_port: {members}
distributor:
  ring:
    kvstore:
      store: inmemory
  receivers:
    otlp:
      protocols:
        grpc:
          endpoint: 127.0.0.1:{grpc}
        http:
          endpoint: 127.0.0.1:{http}
ingester:
  lifecycler:
    address: 127.0.0.1
    ring:
      kvstore:
        store: inmemory
      replication_factor: 1
    final_sleep: 0s
    min_ready_duration: 1s
  trace_idle_period: {idle_seconds}s
  flush_check_period: 1s
querier:
  frontend_worker:
    frontend_address: 127.0.0.1:{internal}
storage:
  trace:
    backend: local
    local:
      path: {folder}/blocks
    wal:
      path: {folder}/wal
overrides:
  defaults:
    global:
      max_bytes_per_trace: {max_bytes_per_trace}
    ingestion:
      rate_limit_bytes: 500000000
      burst_size_bytes: 500000000
"""
_DISCARDED = re.compile(
    r'^tempo_discarded_spans_total\{reason="trace_too_large",[^}]*\} (\S+)$', re.MULTILINE
)
_RECEIVED = re.compile(r"^tempo_distributor_spans_received_total\{[^}]*\} (\S+)$", re.MULTILINE)


class TempoProcess(BackendProcess):
    """Run Tempo until the `with` block ends.

    Args:
        folder: for its configuration, its output and its data.
        idle_seconds: how long after a trace's last span it can be searched for.
        max_bytes_per_trace: what it takes of a trace, 5 MB by default; the rest is refused.
    """

    name = "tempo"
    port_names: tuple[str, ...] = ("grpc", "http", "query", "internal", "members")

    def __init__(
        self, folder: Path, *, idle_seconds: int = 1, max_bytes_per_trace: int = 5_000_000
    ) -> None:
        super().__init__(folder)
        self._idle_seconds = idle_seconds
        self._max_bytes_per_trace = max_bytes_per_trace

    @property
    def query_url(self) -> str:
        """The base of its query API."""
        return self.address("query")

    def configuration(self) -> str:
        """Return Tempo's configuration."""
        return _CONFIGURATION.format(
            folder=self.folder,
            idle_seconds=self._idle_seconds,
            max_bytes_per_trace=self._max_bytes_per_trace,
            **self.ports,
        )

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return Tempo's arguments."""
        return [f"-config.file={configuration_path}"]

    def is_ready(self) -> bool:
        """Whether it says that all of it is ready."""
        return self.get("query", "/ready")[0] == 200

    def received_spans(self) -> int:
        """Return how many spans it took in since it started, each copy counted."""
        _, body = self.get("query", "/metrics")
        return sum(int(float(found)) for found in _RECEIVED.findall(body.decode()))

    def refused_spans(self) -> int:
        """Return how many spans it dropped as their trace was too large; the sender hears nothing.

        By a metric that has this name on the dashboard, too.
        """
        _, body = self.get("query", "/metrics")
        return sum(int(float(found)) for found in _DISCARDED.findall(body.decode()))

    def search(self, traceql: str, *, limit: int = 10_000, spans: int = 3) -> list[dict[str, Any]]:
        """Return the traces of the last hour that a TraceQL query finds, in Tempo's own JSON.

        Args:
            traceql: the query.
            limit: the most traces.
            spans: the most matching spans returned of each.
        """
        now = int(time.time())
        query = {"q": traceql, "limit": limit, "spss": spans, "start": now - 3600, "end": now + 60}
        answer = self.get_json("query", "/api/search", query)
        found: list[dict[str, Any]] = answer.get("traces") or []
        for trace in found:
            trace["traceID"] = trace["traceID"].zfill(32)  # sent without leading zeros
        return found

    def stored_spans(self, trace_id: str) -> list[ReceivedSpan]:
        """Return the spans of a trace; of two copies of a span Tempo may show only one."""
        answer = self.get_json("query", f"/api/v2/traces/{trace_id}")
        if not answer or not answer.get("trace"):
            return []
        return spans_in(ParseDict(answer["trace"], ExportTraceServiceRequest()))
