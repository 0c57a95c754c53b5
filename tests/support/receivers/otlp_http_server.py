"""The HTTP/protobuf side of the OTLP receiver: the standard library's threading server."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from tests.support.receivers.certificates import ServerCertificates
from tests.support.receivers.otlp_messages import (
    BAD_REQUEST,
    SIGNALS,
    TOO_LARGE,
    PartialSuccess,
    Refusal,
    Signal,
    Transport,
    Verdict,
)

Receive = Callable[[Signal, Transport, dict[str, str], Any, int], Verdict]

_SIGNAL_BY_PATH = {signal.http_path: signal for signal in SIGNALS}
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class OtlpHttpServer(ThreadingHTTPServer):
    """Serve the three OTLP paths on a loopback port until stopped.

    Args:
        receive: Called on the connection's thread for each request; its answer is sent.
        port: 0 takes a free one.
        max_request_bytes: Longer bodies, after decompression, are answered 413.
        certificates: None serves plain text.
    """

    daemon_threads = True

    def __init__(
        self,
        receive: Receive,
        *,
        port: int,
        max_request_bytes: int,
        certificates: ServerCertificates | None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _ExportHandler)
        self.receive = receive
        self.max_request_bytes = max_request_bytes
        self.port: int = self.server_address[1]
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()  # guards _connections
        self._tls = None if certificates is None else _server_context(certificates)
        self._thread = threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.01},
            name="otlp-http",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection, kept-alive ones too, so that clients notice."""
        self.shutdown()
        self._thread.join()
        with self._connections_lock:
            connections = list(self._connections)
        for connection in connections:
            # Its own thread may be closing it at the same moment, as the client has hung up.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its TLS handshake is left to the connection's own thread."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that hangs up or distrusts the certificate is a test's intent."""


class _ExportHandler(BaseHTTPRequestHandler):
    """Answer the requests of one connection."""

    protocol_version = "HTTP/1.1"  # keeps connections alive, as a Collector does
    server: OtlpHttpServer

    def do_POST(self) -> None:
        wire_body = self.rfile.read(int(self.headers.get("content-length", 0)))
        signal = _SIGNAL_BY_PATH.get(self.path)
        if signal is None:
            self._answer(404)
        elif self.headers.get("content-type") != "application/x-protobuf":
            self._answer(415)
        else:
            self._export(signal, wire_body)

    def _export(self, signal: Signal, wire_body: bytes) -> None:
        decode = _DECODERS.get(self.headers.get("content-encoding", "identity"))
        if decode is None:
            self._answer(415)
            return
        message, refusal = self._decode(signal, decode, wire_body)
        verdict: Verdict = refusal
        if refusal is None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            verdict = self.server.receive(signal, "http/protobuf", headers, message, len(wire_body))
        if isinstance(verdict, Refusal):
            body = Status(message=verdict.message).SerializeToString()
            self._answer(verdict.http_status, body, verdict.retry_after_seconds)
        elif isinstance(verdict, PartialSuccess):
            self._answer(200, verdict.response().SerializeToString())
        else:
            self._answer(200, signal.response_type().SerializeToString())

    def _decode(
        self, signal: Signal, decode: Callable[[bytes], bytes], wire_body: bytes
    ) -> tuple[Any, Refusal | None]:
        try:
            body = decode(wire_body)
        except (OSError, EOFError, zlib.error):
            return None, BAD_REQUEST
        if len(body) > self.server.max_request_bytes:
            return None, TOO_LARGE
        try:
            return signal.request_type.FromString(body), None
        except DecodeError:
            return None, BAD_REQUEST

    def _answer(self, status: int, body: bytes = b"", retry_after: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the test output free of access logs."""


def _server_context(certificates: ServerCertificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    if certificates.client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.client_authority)
    return context
