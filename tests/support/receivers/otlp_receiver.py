"""A real OTLP receiver on loopback, for tests and benchmarks that send to a backend.

It decodes with the official protos, so what it holds is what a Collector would have understood,
and it misbehaves on request the ways backends do: refusing, being slow, hanging, being down.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, final

from tests.support.receivers.certificates import ServerCertificates
from tests.support.receivers.otlp_grpc_server import OtlpGrpcServer
from tests.support.receivers.otlp_http_server import OtlpHttpServer
from tests.support.receivers.otlp_messages import (
    UNAUTHENTICATED,
    UNAVAILABLE,
    PartialSuccess,
    ReceivedLog,
    ReceivedMetric,
    ReceivedRequest,
    ReceivedSpan,
    Refusal,
    Signal,
    Transport,
    Verdict,
    logs_in,
    metrics_in,
    spans_in,
)


@final
class OtlpReceiver:
    """Receive OTLP over gRPC and HTTP/protobuf on two free loopback ports.

    A context manager; every method may be called from any thread. After `stop()`, `start()`
    listens on the same ports again with everything received so far still held.

    Args:
        required_headers: Requests without these are refused as unauthenticated.
        certificates: Serve TLS with them; None serves plain text.
        max_request_bytes: Requests above it are refused (4 MiB is a Collector's gRPC default).
        on_request: Called with each accepted request instead of holding it, for volumes that
            should not be held; on one thread at a time.
    """

    def __init__(
        self,
        *,
        required_headers: Mapping[str, str] | None = None,
        certificates: ServerCertificates | None = None,
        max_request_bytes: int = 4 * 1024 * 1024,
        on_request: Callable[[ReceivedRequest], None] | None = None,
    ) -> None:
        self._required_headers = dict(required_headers or {})
        self._certificates = certificates
        self._max_request_bytes = max_request_bytes
        self._on_request = on_request or self._hold_request
        self._grpc: OtlpGrpcServer | None = None
        self._http: OtlpHttpServer | None = None
        self._grpc_port = 0
        self._http_port = 0
        self._stopping = threading.Event()
        self._released = threading.Event()
        self._released.set()
        # Guards everything below; notified at each request.
        self._changed = threading.Condition()
        self._delay_seconds = 0.0
        self._judge: Callable[[ReceivedRequest], Verdict] = lambda request: None
        self._planned_answers: deque[Refusal | PartialSuccess] = deque()
        self._requests: list[ReceivedRequest] = []
        self._refused: list[ReceivedRequest] = []
        self._spans: list[ReceivedSpan] = []
        self._logs: list[ReceivedLog] = []
        self._metrics: list[ReceivedMetric] = []

    def start(self) -> OtlpReceiver:
        """Listen; on the ports of the last time, if there was one. Idempotent."""
        if self._grpc is None:
            self._stopping.clear()
            self._grpc = OtlpGrpcServer(
                self._receive,
                port=self._grpc_port,
                max_request_bytes=self._max_request_bytes,
                certificates=self._certificates,
            )
            self._http = OtlpHttpServer(
                self._receive,
                port=self._http_port,
                max_request_bytes=self._max_request_bytes,
                certificates=self._certificates,
            )
            self._grpc_port, self._http_port = self._grpc.port, self._http.port
        return self

    def stop(self) -> None:
        """Close both ports and all connections; requests held or delayed are let go. Idempotent."""
        self._stopping.set()
        self.release()
        if self._http is not None:
            self._http.stop()
        if self._grpc is not None:
            self._grpc.stop()
        self._grpc = self._http = None

    def __enter__(self) -> OtlpReceiver:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def grpc_endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT for the protocol `grpc`."""
        return f"{self._scheme}://127.0.0.1:{self._grpc_port}"

    @property
    def http_endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT for the protocol `http/protobuf`."""
        return f"{self._scheme}://127.0.0.1:{self._http_port}"

    def endpoint(self, transport: Transport) -> str:
        """Return the base endpoint for the protocol's name, as in OTEL_EXPORTER_OTLP_PROTOCOL."""
        return self.grpc_endpoint if transport == "grpc" else self.http_endpoint

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The accepted requests, oldest first."""
        with self._changed:
            return list(self._requests)

    @property
    def refused(self) -> list[ReceivedRequest]:
        """The refused requests that could be decoded, oldest first."""
        with self._changed:
            return list(self._refused)

    def spans(self) -> list[ReceivedSpan]:
        """Return the accepted spans, each with its resource and scope, in order of arrival."""
        with self._changed:
            return list(self._spans)

    def logs(self) -> list[ReceivedLog]:
        """Return the accepted log records, in order of arrival."""
        with self._changed:
            return list(self._logs)

    def metrics(self) -> list[ReceivedMetric]:
        """Return the accepted metrics, in order of arrival."""
        with self._changed:
            return list(self._metrics)

    def clear(self) -> None:
        """Forget everything received so far."""
        with self._changed:
            for received in (self._requests, self._refused, self._spans, self._logs, self._metrics):
                received.clear()

    def wait_for(self, predicate: Callable[[], bool], timeout_seconds: float = 10.0) -> None:
        """Block until the predicate holds; it is asked now and after each request.

        Raises:
            TimeoutError: It does not hold in time; says what was received instead.
        """
        with self._changed:
            if self._changed.wait_for(predicate, timeout_seconds):
                return
            names = sorted({received.span.name for received in self._spans})
            message = (
                f"not within {timeout_seconds} s: {len(self._requests)} requests accepted, "
                f"{len(self._refused)} refused, {len(self._spans)} spans named {names[:20]}"
            )
        raise TimeoutError(message)

    def wait_for_spans(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedSpan]:
        """Block until at least so many spans are held, and return all of them."""
        self.wait_for(lambda: len(self._spans) >= count, timeout_seconds)
        return self.spans()

    def refuse_next(self, times: int = 1, refusal: Refusal = UNAVAILABLE) -> None:
        """Refuse the next requests, then accept again; repeated calls queue up."""
        with self._changed:
            self._planned_answers.extend([refusal] * times)

    def accept_next_in_part(self, answer: PartialSuccess) -> None:
        """Say of the next request that some of its spans were not taken; all of it is held."""
        with self._changed:
            self._planned_answers.append(answer)

    def judge_by(self, judge: Callable[[ReceivedRequest], Verdict]) -> None:
        """Answer each request from now on as the judge says, unless it is to be refused anyway."""
        with self._changed:
            self._judge = judge

    def answer_after(self, delay_seconds: float) -> None:
        """Be slow: every answer from now on comes so much later. 0 ends it."""
        with self._changed:
            self._delay_seconds = delay_seconds

    def hold(self) -> None:
        """Hang: read requests, but answer none of them until `release()` or `stop()`."""
        self._released.clear()

    def release(self) -> None:
        """Answer what is held, and no longer hold."""
        self._released.set()

    @property
    def _scheme(self) -> str:
        return "http" if self._certificates is None else "https"

    def _receive(
        self,
        signal: Signal,
        transport: Transport,
        headers: dict[str, str],
        message: Any,
        wire_bytes: int,
    ) -> Verdict:
        """Take in one request on a server's thread; the answer is None for success."""
        request = ReceivedRequest(
            signal=signal.name,
            transport=transport,
            headers=headers,
            message=message,
            wire_bytes=wire_bytes,
            received_ns=time.monotonic_ns(),
        )
        self._released.wait()
        self._stopping.wait(self._delay_seconds)
        with self._changed:
            verdict = self._verdict_on(request)
            if isinstance(verdict, Refusal):
                self._refused.append(replace(request, refusal=verdict))
            else:
                self._on_request(request)
            self._changed.notify_all()
        return verdict

    def _verdict_on(self, request: ReceivedRequest) -> Verdict:
        for name, value in self._required_headers.items():
            if request.headers.get(name.lower()) != value:
                return UNAUTHENTICATED
        return self._planned_answers.popleft() if self._planned_answers else self._judge(request)

    def _hold_request(self, request: ReceivedRequest) -> None:
        self._requests.append(request)
        if request.signal == "traces":
            self._spans.extend(spans_in(request.message))
        elif request.signal == "logs":
            self._logs.extend(logs_in(request.message))
        elif request.signal == "metrics":
            self._metrics.extend(metrics_in(request.message))
