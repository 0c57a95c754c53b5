"""Does ordinary and faulty things with real instrumentations, and prints what each fired for.

The first argument is a folder for Redis; each line of output is a case, a tab, and titles.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, Final, final
from wsgiref.util import setup_testing_defaults

import django
import grpc
import grpc.aio
import httpx
import requests
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.grpc import (
    GrpcAioInstrumentorClient,
    GrpcAioInstrumentorServer,
    GrpcInstrumentorClient,
    GrpcInstrumentorServer,
)
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.testing.flight_recording import FlightRecording, flight_recording

tracer = trace.get_tracer("outcomes")
logger = logging.getLogger("shop")
Case = Callable[[], object]
CASES: Final[dict[str, Case]] = {}


def case(function: Case) -> Case:
    """Add a case of the function's name."""
    CASES[function.__name__] = function
    return function


@final
class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path asks for."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(int(self.path[1:]))
        self.send_header("content-length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def served_urls() -> Iterator[str]:
    """Serve, and return the URL to which a status is to be added."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _request(status: int, *, within: str = "") -> None:
    job = tracer.start_as_current_span(within) if within else contextlib.nullcontext()
    with served_urls() as url, job:
        requests.get(f"{url}{status}", timeout=5)
        httpx.head(f"{url}{status}")


@case
def client_404() -> None:
    """Look whether something exists, in a script."""
    _request(404)


@case
def client_404_in_job() -> None:
    """Look whether something exists, in a job."""
    _request(404, within="job")


@case
def client_503_survived() -> None:
    """Go on without an answer."""
    _request(503, within="job")


@case
def client_503_fatal() -> None:
    """Fail without an answer."""
    failing = contextlib.suppress(requests.HTTPError)
    with served_urls() as url, failing, tracer.start_as_current_span("job"):
        requests.get(f"{url}503", timeout=5).raise_for_status()


@case
def cancelled() -> None:
    """Be cancelled and exited within spans, in both ways to open one."""
    for error in (asyncio.CancelledError, GeneratorExit, SystemExit, KeyboardInterrupt):
        with contextlib.suppress(error), tracer.start_span("job"):
            raise error
        with contextlib.suppress(error), tracer.start_as_current_span("job"):
            raise error


@case
def logged_and_survived() -> None:
    """Write an exception down, and go on."""
    with tracer.start_as_current_span("job"):
        try:
            raise ValueError("bad order")
        except ValueError:
            logger.exception("order left out")


@case
def logged_without_request() -> None:
    """Write an exception down where nothing is served, and an error without one where it is."""
    try:
        raise ValueError("bad order")
    except ValueError:
        logger.exception("order left out")
    with tracer.start_as_current_span("job"):
        logger.error("order left out")


@case
def failed_and_logged() -> None:
    """Fail below a job, which writes it down and fails as well."""
    with contextlib.suppress(ValueError), tracer.start_as_current_span("job"):
        try:
            with tracer.start_as_current_span("load"):
                raise ValueError("bad order")
        except ValueError:
            logger.exception("no orders today")
            raise


def _not_found(_request: HttpRequest) -> HttpResponse:
    raise Http404("no such item")


def _denied(_request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def _refused_below(_request: HttpRequest) -> HttpResponse:
    with tracer.start_as_current_span("load item"):
        raise Http404("no such item")


def _failing(_request: HttpRequest) -> HttpResponse:
    raise ValueError("no price")


urlpatterns = [
    path("404", _not_found),
    path("403", _denied),
    path("below", _refused_below),
    path("500", _failing),
    path("given", lambda _: HttpResponse(status=500)),
]


def _visit(*paths: str) -> None:
    application = get_wsgi_application()
    for each in paths:
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        environ["PATH_INFO"] = each
        response = application(environ, lambda *_: None)
        response.close()


@case
def django_refuses() -> None:
    """Answer what healthy sites answer all day."""
    _visit("/404", "/403", "/below", "/none")


@case
def django_fails() -> None:
    """Answer 500, by an exception."""
    _visit("/500")


@case
def django_gives_500() -> None:
    """Answer 500 by hand."""
    _visit("/given")


def _handle(asked: bytes) -> bytes:
    if asked == b"fails":
        raise ValueError("no price")
    if asked == b"fails barely":
        raise Exception("no price")  # noqa: TRY002
    if asked == b"handled":
        try:
            raise KeyError("no price")
        except KeyError as error:
            trace.get_current_span().record_exception(error)
    return b"ok"


_CODES: Final = {b"missing": grpc.StatusCode.NOT_FOUND, b"internal": grpc.StatusCode.INTERNAL}


@final
class _Handler(grpc.GenericRpcHandler):
    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            self._answer_later if self._is_async else self._answer
        )

    def _answer(self, asked: bytes, context: Any) -> bytes:
        if asked in _CODES:
            context.abort(_CODES[asked], "no")
        return _handle(asked)

    async def _answer_later(self, asked: bytes, context: Any) -> bytes:
        if asked in _CODES:
            await context.abort(_CODES[asked], "no")
        return _handle(asked)


def _ask(channel: Any) -> Any:
    return channel.unary_unary("/shop.Shop/Get")


def _call(*asked: bytes) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Handler(is_async=False),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for each in asked:
            with contextlib.suppress(grpc.RpcError), tracer.start_as_current_span("ask"):
                try:
                    _ask(channel)(each, timeout=5)
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        raise
    server.stop(5).wait()


async def _call_later(*asked: bytes) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(is_async=True),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for each in asked:
            with contextlib.suppress(grpc.RpcError):
                await _ask(channel)(each, timeout=5)
    await server.stop(5)


@case
def grpc_refuses() -> None:
    """Answer NOT_FOUND, and deal with an exception."""
    _call(b"ok", b"missing", b"handled")
    asyncio.run(_call_later(b"ok", b"missing", b"handled"))


@case
def grpc_fails() -> None:
    """Let an exception leave the handler."""
    _call(b"fails")


@case
def grpc_fails_barely() -> None:
    """Let an exception of the class that `abort` raises leave the handler."""
    _call(b"fails barely")


@case
def grpc_aio_fails() -> None:
    """Let an exception leave a coroutine."""
    asyncio.run(_call_later(b"fails"))


@case
def grpc_aio_says_internal() -> None:
    """Answer INTERNAL."""
    asyncio.run(_call_later(b"internal"))


def _titles(recording: FlightRecording) -> list[str]:
    return [cause.title for each in recording.incidents() for cause in each.manifest.causes]


def main() -> None:
    """Do what the arguments say, or everything."""
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logging.getLogger("django").setLevel(logging.CRITICAL)
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
    django.setup()
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    for instrumentor in (
        DjangoInstrumentor,
        GrpcAioInstrumentorClient,
        GrpcAioInstrumentorServer,
        GrpcInstrumentorClient,
        GrpcInstrumentorServer,
        HTTPXClientInstrumentor,
        RequestsInstrumentor,
    ):
        instrumentor().instrument()
    for name in sys.argv[1:] or CASES:
        with flight_recording(provider, slow_root_seconds=None) as recording:
            CASES[name]()
            for title in _titles(recording):
                print(f"{name}\t{title}")


if __name__ == "__main__":
    main()
