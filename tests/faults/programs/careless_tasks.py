"""A service on an event loop whose tasks do not do what they look like, each behind a path."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import time
from contextlib import suppress
from threading import Timer
from types import FrameType
from typing import Any, Final

import anyio
import httpx
from answering import serve
from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01
_kept: Final[list[Any]] = []


async def charge_card() -> None:
    """Fail, and with that everything beside it."""
    await asyncio.sleep(0.01)
    if IS_FAULTY:
        raise ValueError("the card has expired")


async def reserve_items() -> None:
    """Be cancelled by the failure of another one."""
    await asyncio.sleep(0.05)


@app.get("/order")
async def order() -> dict[str, str]:
    """Do two things at once, of which one fails."""
    async with anyio.create_task_group() as group:
        group.start_soon(reserve_items)
        group.start_soon(charge_card)
    return {"status": "ordered"}


async def ship_parcels(parcels: asyncio.Queue[tuple[str, asyncio.Future[str]]]) -> None:
    """Ship what is in the queue, until one has no address."""
    while True:
        address, shipped = await parcels.get()
        shipped.set_result(address.splitlines()[0])


@app.get("/shipped")
async def shipped() -> dict[str, str]:
    """Wait for a task that has died."""
    parcels: asyncio.Queue[tuple[str, asyncio.Future[str]]] = asyncio.Queue()
    _kept.append(asyncio.create_task(ship_parcels(parcels)))
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    parcels.put_nowait(("" if IS_FAULTY else "at home", answer))
    with suppress(asyncio.TimeoutError):
        return {"to": await asyncio.wait_for(answer, 0.9)}
    return {"to": "nobody"}


def scan_disk() -> None:
    """Take long, on a thread of the default executor."""
    time.sleep(_SECONDS)


def answer(path: str) -> int:
    """Answer, but some late."""
    time.sleep(_SECONDS if path == "/late" else 0)
    return 200


_port: Final = serve(answer)


@app.get("/connected")
async def connected() -> dict[str, str]:
    """Look up a name while all threads of the default executor are busy."""
    loop = asyncio.get_running_loop()
    for _ in range(((os.cpu_count() or 1) + 4) * IS_FAULTY):
        _kept.append(loop.run_in_executor(None, scan_disk))
    _, writer = await asyncio.open_connection("localhost", _port)
    writer.close()
    return {"status": "connected"}


async def notify_one(number: int) -> int:
    """Tell one of many."""
    await asyncio.sleep(0)
    return number


@app.get("/notified")
async def notified() -> dict[str, int]:
    """Start a task for each who is to be told."""
    told = await asyncio.gather(*(notify_one(n) for n in range(60_000 if IS_FAULTY else 3)))
    return {"told": len(told)}


async def push_feed(writer: asyncio.StreamWriter) -> None:
    """Send more than the other side reads."""
    writer.write(bytes(8_000_000 if IS_FAULTY else 10))
    await writer.drain()


@app.get("/feed")
async def feed() -> dict[str, str]:
    """Wait for who does not read."""

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(_SECONDS)
        while await reader.read(1 << 20):
            pass
        writer.close()

    server = await asyncio.start_server(read_late, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    await push_feed(writer)
    writer.close()
    server.close()
    return {"status": "sent"}


_items: Final = [{"item": n, "tags": ["a", "b"]} for n in range(500_000 if IS_FAULTY else 10)]


@app.get("/catalogue")
async def catalogue() -> list[dict[str, Any]]:
    """Answer with far too much, which the framework writes."""
    return _items


async def pack_parcels(parcels: asyncio.Queue[int]) -> None:
    """Take one, and be slow with it."""
    while True:
        await parcels.get()
        await asyncio.sleep(_SECONDS)


async def add_parcel(parcels: asyncio.Queue[int]) -> None:
    """Put one into the queue when there is room."""
    await parcels.put(1)


@app.get("/parcels")
async def parcels() -> dict[str, str]:
    """Wait for room in a queue."""
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    _kept.append(asyncio.create_task(pack_parcels(queue)))
    for _ in range(3):
        await add_parcel(queue)
    return {"status": "queued"}


async def roll_back() -> None:
    """Undo what was begun."""
    await asyncio.sleep(_SECONDS)


async def book() -> None:
    """Begin what is not done in time."""
    try:
        await asyncio.sleep(5 if IS_FAULTY else 0)
    finally:
        await roll_back()


@app.get("/booked")
async def booked() -> dict[str, bool]:
    """Have a time limit, and wait for what ends slowly after it."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(book(), 0.1)
        return {"booked": True}
    return {"booked": False}


async def load_prices() -> int:
    """Load what all wait for."""
    await asyncio.sleep(_SECONDS + 0.3 * IS_FAULTY)
    return 12


_loading: Final[list[asyncio.Task[int]]] = []


async def _price() -> int:
    if not _loading:
        _loading.append(asyncio.create_task(load_prices()))
    return await asyncio.shield(_loading[0])


@app.get("/load")
async def load() -> dict[str, int]:
    """Begin to load, and wait for it."""
    return {"price": await _price()}


@app.get("/price")
async def price() -> dict[str, int]:
    """Wait for what another request has begun."""
    return {"price": await _price()}


def ask_bank() -> int:
    """Ask over a connection that blocks who asks."""
    connection = http.client.HTTPConnection("127.0.0.1", _port)
    try:
        connection.request("GET", "/late")
        return connection.getresponse().status
    finally:
        connection.close()


@app.get("/balance")
async def balance() -> dict[str, int]:
    """Call what is not made for an event loop."""
    return {"status": ask_bank()}


_client: Final = httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=0.9)


async def open_report() -> None:
    """Begin to read an answer, and forget it."""
    _kept.append(await _client.send(_client.build_request("GET", _url("/report")), stream=True))


def _url(path: str) -> str:
    return f"http://127.0.0.1:{_port}{path}"


async def fetch_rate() -> int:
    """Need a connection."""
    with suppress(httpx.PoolTimeout):
        return (await _client.get(_url("/rate"))).status_code
    return 0


@app.get("/rate")
async def rate() -> dict[str, int]:
    """Need a connection that is never given back."""
    if IS_FAULTY:
        await open_report()
    return {"status": await fetch_rate()}


def reload_settings(_number: int, _frame: FrameType | None) -> None:
    """Read all settings as soon as the signal comes, wherever the program is."""
    time.sleep(_SECONDS)


signal.signal(signal.SIGHUP, reload_settings)


@app.get("/settings")
async def settings() -> dict[str, str]:
    """Be there when a signal comes."""
    Timer(0.02, os.kill, [os.getpid(), signal.SIGHUP]).start()
    await asyncio.sleep(0.1)
    return {"status": "ok"}


class Upload:
    """Something that is sent when it is closed."""

    async def __aenter__(self) -> Upload:
        """Begin it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send all of it."""
        await asyncio.sleep(_SECONDS)


@app.get("/uploaded")
async def uploaded() -> dict[str, str]:
    """Leave a block, which takes long."""
    async with Upload():
        status = "uploaded"
    return {"status": status}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
