"""The gRPC side of the OTLP receiver: grpcio's own server with the official messages."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from tests.support.receivers.certificates import ServerCertificates
from tests.support.receivers.otlp_messages import (
    SIGNALS,
    PartialSuccess,
    Refusal,
    Signal,
    Transport,
    Verdict,
)

Receive = Callable[[Signal, Transport, dict[str, str], Any, int], Verdict]


class OtlpGrpcServer:
    """Serve the three OTLP services on a loopback port until stopped.

    Args:
        receive: Called on a pool thread for each request; its answer is sent.
        port: 0 takes a free one.
        max_request_bytes: Longer messages are refused by grpcio itself, as a Collector does.
        certificates: None serves plain text.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        port: int,
        max_request_bytes: int,
        certificates: ServerCertificates | None,
    ) -> None:
        self._receive = receive
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=8, thread_name_prefix="otlp-grpc"),
            options=[
                # Two receivers sharing a port would each see half of the requests.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", max_request_bytes),
            ],
        )
        for signal in SIGNALS:
            self._server.add_generic_rpc_handlers((self._handler(signal),))
        address = f"127.0.0.1:{port}"
        if certificates is None:
            self.port: int = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, _credentials(certificates))
        self._server.start()

    def stop(self) -> None:
        """Close the port and the connections; wait until the calls in progress are over."""
        self._server.stop(grace=None).wait()

    def _handler(self, signal: Signal) -> Any:
        def export(message: Any, context: Any) -> Any:
            headers = {key: str(value) for key, value in context.invocation_metadata()}
            verdict = self._receive(signal, "grpc", headers, message, message.ByteSize())
            if isinstance(verdict, Refusal):
                _refuse(context, verdict)
            if isinstance(verdict, PartialSuccess):
                return verdict.response()
            return signal.response_type()

        method = grpc.unary_unary_rpc_method_handler(
            export,
            request_deserializer=signal.request_type.FromString,
            response_serializer=signal.response_type.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(signal.grpc_service, {"Export": method})


def _refuse(context: Any, refusal: Refusal) -> None:
    """End the call with the refusal's code; raises, as grpcio's abort does."""
    if refusal.retry_after_seconds is not None:
        retry = RetryInfo(retry_delay=Duration(seconds=refusal.retry_after_seconds))
        context.set_trailing_metadata(
            (("google.rpc.retryinfo-bin", retry.SerializeToString()),),
        )
    context.abort(grpc.StatusCode[refusal.grpc_code], refusal.message)


def _credentials(certificates: ServerCertificates) -> Any:
    client_authority = certificates.client_authority
    return grpc.ssl_server_credentials(
        [(certificates.key.read_bytes(), certificates.certificate.read_bytes())],
        root_certificates=None if client_authority is None else client_authority.read_bytes(),
        require_client_auth=client_authority is not None,
    )
