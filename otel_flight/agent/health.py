"""Tells by HTTP how the agent is, for probes, and what it has counted, for Prometheus."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

from typing_extensions import Self

from otel_flight.agent.agent import Agent
from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.native import Thread

_LONGEST_REQUEST_SECONDS: Final = 2.0
"""Who asks has so many seconds for it, as nobody else is answered meanwhile."""
_LONGEST_SILENCE_SECONDS: Final = 60.0
"""An agent that has not looked for so many seconds hangs: in a file system, say."""
_STOP_SECONDS: Final = 1.0

Address = tuple[str, int]


class HealthServer:
    """Answers `/health` and `/metrics`, within a `with` block, on a thread of its own.

    Args:
        agent: whose health it is.
        address: host and port; port 0: one that is free.

    Attributes:
        address: where it answers.
    """

    def __init__(self, agent: Agent, address: Address) -> None:
        self._server = _Server(address, _Handler, agent)
        host, port = self._server.server_address[:2]
        self.address: Address = (str(host), int(port))
        self._thread = Thread(self._server.serve_forever, "otel-flight-health")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(_STOP_SECONDS)
        self._server.server_close()


class _Server(HTTPServer):
    def __init__(
        self, address: Address, handler: type[BaseHTTPRequestHandler], agent: Agent
    ) -> None:
        self.agent = agent
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who went away or was too slow."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _LONGEST_REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer."""
        agent = self.server.agent
        if self.path == "/health":
            problem = problem_of(agent)
            status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
            self._answer(status, "application/json", json.dumps(_health(agent, problem)))
        elif self.path == "/metrics":
            text = "".join(f"{line}\n" for line in metric_lines(agent))
            self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "/health or /metrics\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Log no requests: probes ask every few seconds."""

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def problem_of(agent: Agent) -> str:
    """Return what is wrong with the agent itself; empty: nothing.

    A receiver that is down is none of that: a restart would not help it.
    """
    silent_seconds = (monotonic_ns() - agent.looked_ns) / 1e9
    if silent_seconds > _LONGEST_SILENCE_SECONDS:
        return f"has not looked at its directories for {silent_seconds:.0f} s"
    return agent.spool.problem


def metric_lines(agent: Agent) -> Iterator[str]:
    """Yield what the agent has counted as Prometheus reads it, by the names of a recorder's."""
    spans, logs, profiles = (delivery.statistics for delivery in agent.deliveries)
    outcomes = {
        "recovered": agent.recovered,
        "delivered": spans.delivered_incidents,
        "evicted_delivered": agent.evicted(delivered=True),
        "evicted_undelivered": agent.evicted(delivered=False),
    }
    counted = {f'{{flight_recorder_outcome="{key}"}}': value for key, value in outcomes.items()}
    yield from _metric("incidents_total", "What became of incidents.", counted)
    for name, text, value in (
        ("delivery_spans_total", "Spans delivered with incidents.", spans.delivered_spans),
        ("delivery_log_records_total", "Log records delivered besides.", logs.delivered_spans),
        (
            "delivery_spans_undeliverable_total",
            "Spans of delivered incidents that the backend does not take.",
            spans.undeliverable_spans,
        ),
        (
            "delivery_requests_repeated_total",
            "Requests sent again that may have arrived the first time.",
            spans.resent_chunks + logs.resent_chunks + profiles.resent_chunks,
        ),
        (
            "delivery_failures_total",
            "Attempts to deliver that failed.",
            spans.failed_attempts + logs.failed_attempts + profiles.failed_attempts,
        ),
        (
            "errors_total",
            "Errors inside the agent that it went on after.",
            sum(error.count for error in agent.guard.errors()),
        ),
        (
            "incidents_pending",
            "Incidents in the spool that are not delivered yet.",
            spans.pending_incidents,
        ),
    ):
        yield from _metric(name, text, {"": value})


def _metric(name: str, text: str, values: Mapping[str, int]) -> Iterator[str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    yield f"# HELP flight_recorder_{name} {text}"
    yield f"# TYPE flight_recorder_{name} {kind}"
    for labels, value in values.items():
        yield f"flight_recorder_{name}{labels} {value}"


def _health(agent: Agent, problem: str) -> dict[str, Any]:
    delivery = agent.deliveries[0].statistics
    return {
        "status": "failing" if problem else "ok",
        "problem": problem,
        "spool": str(agent.spool.directory),
        "pending_incidents": delivery.pending_incidents,
        "last_delivery_error": delivery.last_error,
    }
