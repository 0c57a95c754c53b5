"""A proxy in front of a Collector, which refuses as proxies do and loses answers as networks do."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Any, final

from tests.support.receivers.otlp_client import send
from tests.support.receivers.otlp_grpc_server import OtlpGrpcServer
from tests.support.receivers.otlp_http_server import OtlpHttpServer
from tests.support.receivers.otlp_messages import Refusal, Signal, Transport, Verdict

_NOT_PASSED_ON = Refusal(http_status=502, grpc_code="UNAVAILABLE", message="bad gateway")


@final
class OtlpRelay:
    """Passes OTLP of both protocols on until the `with` block ends.

    Args:
        target: where the Collector takes OTLP over HTTP, without the path.
        max_request_bytes: Longer requests are refused as too large.
    """

    def __init__(self, target: str, *, max_request_bytes: int = 64 * 1024 * 1024) -> None:
        self._target = target
        # Guards what follows; notified when a request was passed on.
        self._passed_on = threading.Condition()
        self._refusals: deque[Refusal] = deque()
        self._held_from: int | None = None
        self.refused = 0
        self.passed = 0
        options: dict[str, Any] = {"max_request_bytes": max_request_bytes, "certificates": None}
        self._http = OtlpHttpServer(self._receive, port=0, **options)
        self._grpc = OtlpGrpcServer(self._receive, port=0, **options)

    def __enter__(self) -> OtlpRelay:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release_answers()
        self._http.stop()
        self._grpc.stop()

    def endpoint(self, transport: Transport) -> str:
        """Return where it takes a protocol, without the path."""
        port = self._grpc.port if transport == "grpc" else self._http.port
        return f"http://127.0.0.1:{port}"

    def refuse_next(self, times: int, refusal: Refusal) -> None:
        """Refuse the next requests, then pass them on again; repeated calls queue up."""
        with self._passed_on:
            self._refusals.extend([refusal] * times)

    def hold_answers(self, *, after: int) -> None:
        """Give so many more answers, and of what is passed on then none until they are released."""
        with self._passed_on:
            self._held_from = self.passed + after

    def wait_until_holding(self, timeout_seconds: float = 30.0) -> None:
        """Block until a request is with the Collector whose answer is held.

        Raises:
            TimeoutError: That takes too long.
        """
        with self._passed_on:
            if not self._passed_on.wait_for(self._is_holding, timeout_seconds):
                message = f"only {self.passed} requests within {timeout_seconds} s"
                raise TimeoutError(message)

    def release_answers(self) -> None:
        """Give the answers that were held, and hold no longer."""
        with self._passed_on:
            self._held_from = None
            self._passed_on.notify_all()

    def _is_holding(self) -> bool:
        return self._held_from is not None and self.passed > self._held_from

    def _receive(
        self,
        signal: Signal,
        transport: Transport,
        headers: dict[str, str],
        message: Any,
        wire_bytes: int,
    ) -> Verdict:
        with self._passed_on:
            if self._refusals:
                self.refused += 1
                return self._refusals.popleft()
        if send(self._target, message) != 200:
            return _NOT_PASSED_ON
        with self._passed_on:
            self.passed += 1
            self._passed_on.notify_all()
            self._passed_on.wait_for(lambda: not self._is_holding())
        return None
