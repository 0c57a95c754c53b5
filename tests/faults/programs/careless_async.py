"""A service on an event loop that forgets that it is one, each thing behind a path."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import httpx
from answering import serve
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import StaticPool, create_engine, text
from switch import IS_FAULTY

app = FastAPI()
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01
_kept: Final[list[Any]] = []

_names: Final = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
_names.bind(("127.0.0.1", 0))


def answer_names() -> None:
    """Say where each host is, but not at once."""
    while True:
        _, who = _names.recvfrom(100)
        time.sleep(_SECONDS)
        _names.sendto(b"127.0.0.1", who)


threading.Thread(target=answer_names, daemon=True).start()


def resolve(host: str) -> str:
    """Ask a name server, and wait for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(host.encode(), _names.getsockname())
        return asking.recv(100).decode()


@app.get("/resolved")
async def resolved() -> dict[str, str]:
    """Look up a name on the loop."""
    return {"address": resolve("bank.example")}


async def current_user() -> str:
    """Block whoever depends on it."""
    time.sleep(_SECONDS)  # noqa: ASYNC251 - the fault
    return "me"


@app.get("/profile")
async def profile(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
    """Do nothing of it by itself."""
    return {"user": user}


_one: Final = asyncio.Semaphore(1)


async def fetch_one(number: int) -> int:
    """Fetch one, when it is its turn."""
    async with _one:
        await asyncio.sleep(_SECONDS / 9)
        return number


async def fetch_all() -> int:
    """Fetch all at once, or so it looks."""
    return sum(await asyncio.gather(*(fetch_one(number) for number in range(9))))


@app.get("/fetched")
async def fetched() -> dict[str, int]:
    """Do one after the other what was to be done at once."""
    return {"sum": await fetch_all()}


_polling = threading.Event()


async def poll_inbox() -> int:
    """Look for mail as often as possible."""
    looks = 0
    while _polling.is_set():
        looks += sum(range(100_000))
        await asyncio.sleep(0)
    return looks


@app.get("/waited")
async def waited() -> dict[str, str]:
    """Wait for many things, each of which is there at once, on a loop that is never idle."""
    if IS_FAULTY:
        _polling.set()
        _kept[:] = [asyncio.create_task(poll_inbox()) for _ in range(4)]
    for _ in range(100 if IS_FAULTY else 5):
        await asyncio.sleep(0)
    _polling.clear()
    return {"status": "there"}


_engine: Final = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
_COUNT: Final = (
    "WITH RECURSIVE all_of_them(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of_them"
    f" WHERE n < {3_000_000 if IS_FAULTY else 10}) SELECT max(n) FROM all_of_them"
)


def count_all() -> int:
    """Ask a database, and wait for it."""
    with _engine.connect() as connection:
        return int(connection.scalar(text(_COUNT)) or 0)


@app.get("/counted")
async def counted() -> dict[str, int]:
    """Use a driver on the loop that blocks."""
    return {"count": count_all()}


async def send_receipt() -> None:
    """Take long, when the answer is out already."""
    time.sleep(_SECONDS)  # noqa: ASYNC251 - the fault


@app.get("/bought")
async def bought(later: BackgroundTasks) -> dict[str, str]:
    """Leave something for later, which blocks."""
    later.add_task(send_receipt)
    return {"status": "bought"}


@app.get("/quick")
async def quick() -> dict[str, str]:
    """Be held up by what another request has left for later."""
    await asyncio.sleep(0.1)
    return {"status": "quick"}


def send_invoice(number: str) -> int:
    """Fail, when the answer is out already."""
    return int(number)


@app.get("/ordered")
async def ordered(later: BackgroundTasks) -> dict[str, str]:
    """Leave something for later, which fails."""
    later.add_task(send_invoice, "x" if IS_FAULTY else "1")
    return {"status": "ordered"}


async def draw_chunks() -> AsyncIterator[bytes]:
    """Work out a piece after the other, and let nobody else run."""
    for _ in range(3):
        until, turns = time.perf_counter() + _SECONDS / 3, 0
        while time.perf_counter() < until:
            turns += 1
        yield b"x" * (turns % 10)


@app.get("/drawn")
async def drawn() -> StreamingResponse:
    """Answer in pieces."""
    return StreamingResponse(draw_chunks())


def answer(path: str) -> int:
    """Answer late."""
    time.sleep((_SECONDS + 0.3 * IS_FAULTY) if path == "/token" else 0)
    return 200


_port: Final = serve(answer)
_token: Final = asyncio.Lock()
_client: Final = httpx.AsyncClient(timeout=5)


async def refresh_token() -> int:
    """Ask for a new one, and let nobody have the old one meanwhile."""
    async with _token:
        return (await _client.get(f"http://127.0.0.1:{_port}/token")).status_code


async def use_token() -> int:
    """Need it for a moment."""
    async with _token:
        return 1


@app.get("/refresh")
async def refresh() -> dict[str, int]:
    """Have a lock while another service is asked."""
    return {"status": await refresh_token()}


@app.get("/account")
async def account() -> dict[str, int]:
    """Wait for the lock."""
    return {"token": await use_token()}


async def look_up() -> str:
    """Take long on the loop, without blocking it."""
    await asyncio.sleep(_SECONDS)
    return "found"


def bridge(loop: asyncio.AbstractEventLoop) -> str:
    """Wait on a thread for what the loop does."""
    return asyncio.run_coroutine_threadsafe(look_up(), loop).result(5)


@app.get("/bridged")
async def bridged() -> dict[str, str]:
    """Go to a thread and back again."""
    loop = asyncio.get_running_loop()
    return {"status": await asyncio.to_thread(bridge, loop)}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
