"""Does for more than a second what takes as long as it takes, and prints what is slow."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from typing import Any, Final, final

import grpc
import grpc.aio
import httpx
import uvicorn
import websockets
from fastapi import BackgroundTasks, FastAPI, WebSocket
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorServer, GrpcInstrumentorServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from starlette.responses import StreamingResponse

from otel_flight.testing.flight_recording import flight_recording

SECONDS: Final = 1.6
"""Everything here takes so long; a request may take a second."""
app = FastAPI()


def wait() -> None:
    """Let time pass on this thread."""
    threading.Event().wait(SECONDS)


async def _parts(first_seconds: float) -> AsyncIterator[bytes]:
    await asyncio.sleep(first_seconds)
    yield b"data: 1\n\n"
    await asyncio.sleep(SECONDS)
    yield b"data: 2\n\n"


@app.get("/events")
async def events() -> StreamingResponse:
    """Send events at once and later."""
    return StreamingResponse(_parts(0), media_type="text/event-stream")


@app.get("/after")
async def after(tasks: BackgroundTasks) -> dict[str, str]:
    """Answer, and work on."""
    tasks.add_task(asyncio.sleep, SECONDS)
    return {}


@app.get("/slow")
async def slow() -> dict[str, str]:
    """Answer late."""
    await asyncio.sleep(SECONDS)
    return {}


@app.get("/report")
async def report() -> StreamingResponse:
    """Begin the answer late."""
    await asyncio.sleep(SECONDS)
    return StreamingResponse(_parts(0))


@app.websocket("/socket")
async def socket(connection: WebSocket) -> None:
    """Listen until the client leaves."""
    await connection.accept()
    with contextlib.suppress(Exception):
        await connection.receive_text()


async def _ask(port: int) -> None:
    async def leave() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}/socket"):
            await asyncio.sleep(SECONDS)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        paths = ("/events", "/after", "/slow", "/report")
        await asyncio.gather(leave(), *(client.get(path) for path in paths))


async def web() -> None:
    """Serve and ask."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (it sets no event)
        await asyncio.sleep(0.01)
    await _ask(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    await serving


@final
class _Handler(grpc.GenericRpcHandler):
    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if handler_call_details.method.endswith("Watch"):
            watch = self._watch_later if self._is_async else self._watch
            return grpc.unary_stream_rpc_method_handler(watch)
        get = self._get_later if self._is_async else self._get
        return grpc.unary_unary_rpc_method_handler(get)

    def _watch(self, asked: bytes, _context: Any) -> Iterator[bytes]:
        wait()
        yield asked

    def _get(self, asked: bytes, _context: Any) -> bytes:
        wait()
        return asked

    async def _watch_later(self, asked: bytes, _context: Any) -> AsyncIterator[bytes]:
        await asyncio.sleep(SECONDS)
        yield asked

    async def _get_later(self, asked: bytes, _context: Any) -> bytes:
        await asyncio.sleep(SECONDS)
        return asked


def _call(channel: Any, system: str) -> None:
    watching = channel.unary_stream(f"/{system}/Watch")(b"x", timeout=20)
    getting = channel.unary_unary(f"/{system}/Get").future(b"x", timeout=20)
    list(watching)
    getting.result()


def rpc() -> None:
    """Call methods of both kinds."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_Handler(is_async=False),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        _call(channel, "threads")
    server.stop(5).wait()


async def rpc_later() -> None:
    """Call coroutines of both kinds."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(is_async=True),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.to_thread(_call, channel, "coroutines")
    await server.stop(5)


def spans() -> None:
    """Wait for work, work, and be asked, without an instrumentation."""
    tracer = trace.get_tracer("spans")
    made = [
        tracer.start_span("BRPOP", kind=SpanKind.CLIENT),
        tracer.start_span(
            "poll", kind=SpanKind.CONSUMER, attributes={"messaging.operation": "poll"}
        ),
        tracer.start_span("nightly"),
        tracer.start_span("process", kind=SpanKind.CONSUMER),
        tracer.start_span("named job"),
    ]
    wait()
    for span in made:
        span.end()
    long_ago = 1_000_000_000
    tracer.start_span("began long ago", kind=SpanKind.SERVER, start_time=long_ago).end()


def main(*, fires_open: bool) -> None:
    """Do everything at once, and print what fired."""
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    FastAPIInstrumentor.instrument_app(app)
    instrumentors: tuple[Any, ...] = (GrpcInstrumentorServer, GrpcAioInstrumentorServer)
    for each in instrumentors:
        each().instrument()
    work: list[Callable[[], Any]] = [
        rpc,
        spans,
        lambda: asyncio.run(web()),
        lambda: asyncio.run(rpc_later()),
    ]
    with flight_recording(
        provider, slow_open_root=fires_open, slow_root_routes="named*=1s"
    ) as recording:
        with futures.ThreadPoolExecutor() as pool:
            for done in [pool.submit(each) for each in work]:
                done.result()
        causes = [cause for each in recording.incidents() for cause in each.manifest.causes]
    for cause in causes:
        if cause.reason == "slow local root":
            print(f"{cause.trigger}\t{cause.subject}\t{cause.repeats}")


if __name__ == "__main__":
    import sys

    main(fires_open=sys.argv[1] == "open")
