"""A service of aiohttp: it answers, is slow at `/slow`, and fails at `/fail`."""

from __future__ import annotations

import asyncio
import logging
import sys

from aiohttp import web
from process_facts import process_facts

logging.basicConfig(
    stream=sys.stderr,
    level=logging.INFO,
    format="%(levelname)s %(name)s %(filename)s:%(lineno)d %(funcName)s: %(message)s",
)
logger = logging.getLogger("shop")


async def process(request: web.Request) -> web.Response:
    """Return what this process is like."""
    return web.json_response(process_facts())


async def item(request: web.Request) -> web.Response:
    """Return one item, after a moment of waiting and of work."""
    number = int(request.match_info["number"])
    await asyncio.sleep(0.005)
    logger.warning("item %d is looked at", number)
    return web.json_response({"number": number, "price": sum(range(20_000)) % (number + 1)})


async def echo(request: web.Request) -> web.Response:
    """Return what came."""
    return web.Response(body=await request.read())


async def slow(request: web.Request) -> web.Response:
    """Answer after longer than a request may take."""
    await asyncio.sleep(1.2)
    return web.Response(text="at last")


async def fail(request: web.Request) -> web.Response:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    return web.Response(text=str(prices["pear"]))


def make_app(arguments: list[str]) -> web.Application:
    """Return the application, as `python -m aiohttp.web` asks for it."""
    app = web.Application()
    app.router.add_get("/process", process)
    app.router.add_get("/items/{number}", item)
    app.router.add_post("/echo", echo)
    app.router.add_get("/slow", slow)
    app.router.add_get("/fail", fail)
    return app
