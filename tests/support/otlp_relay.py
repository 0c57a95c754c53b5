"""A proxy in front of a Collector, which refuses as proxies do and a Collector does not."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Any, final

from tests.support.otlp_client import send
from tests.support.otlp_http_server import OtlpHttpServer
from tests.support.otlp_messages import Refusal, Signal, Transport, Verdict

_NOT_PASSED_ON = Refusal(http_status=502, grpc_code="UNAVAILABLE", message="bad gateway")


@final
class OtlpRelay:
    """Passes OTLP over HTTP on until the `with` block ends.

    Args:
        target: the endpoint behind it, without the path.
        max_request_bytes: Longer requests are answered 413.
    """

    def __init__(self, target: str, *, max_request_bytes: int = 64 * 1024 * 1024) -> None:
        self._target = target
        self._lock = threading.Lock()  # guards _refusals and the two counts
        self._refusals: deque[Refusal] = deque()
        self.refused = 0
        self.passed = 0
        self._server = OtlpHttpServer(
            self._receive, port=0, max_request_bytes=max_request_bytes, certificates=None
        )

    def __enter__(self) -> OtlpRelay:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def endpoint(self) -> str:
        """Where it takes OTLP over HTTP, without the path."""
        return f"http://127.0.0.1:{self._server.port}"

    def refuse_next(self, times: int, refusal: Refusal) -> None:
        """Refuse the next requests, then pass them on again; repeated calls queue up."""
        with self._lock:
            self._refusals.extend([refusal] * times)

    def _receive(
        self,
        signal: Signal,
        transport: Transport,
        headers: dict[str, str],
        message: Any,
        wire_bytes: int,
    ) -> Verdict:
        with self._lock:
            if self._refusals:
                self.refused += 1
                return self._refusals.popleft()
        if send(self._target, message) != 200:
            return _NOT_PASSED_ON
        with self._lock:
            self.passed += 1
        return None
