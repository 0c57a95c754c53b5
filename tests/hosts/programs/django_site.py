"""A site of Django in one file: its settings, its views, and its applications."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from process_facts import process_facts

SECRET_KEY = "of the tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "django_site"
USE_TZ = True
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "place": {"format": "%(levelname)s %(name)s %(filename)s:%(lineno)d %(message)s"}
    },
    "handlers": {
        "stream": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "place"}
    },
    "root": {"handlers": ["stream"], "level": "INFO"},
}

logger = logging.getLogger("shop")
IS_ASYNCHRONOUS = "uvicorn" in sys.argv[0]


def process(request: HttpRequest) -> HttpResponse:
    """Return what this process is like."""
    return JsonResponse(process_facts())


def item(request: HttpRequest, number: int) -> HttpResponse:
    """Return one item, after a moment of waiting and of work."""
    time.sleep(0.005)
    logger.warning("item %d is looked at", number)
    return JsonResponse({"number": number, "price": sum(range(20_000)) % (number + 1)})


async def item_later(request: HttpRequest, number: int) -> HttpResponse:
    """Do the same on the event loop."""
    await asyncio.sleep(0.005)
    logger.warning("item %d is looked at", number)
    return JsonResponse({"number": number, "price": sum(range(20_000)) % (number + 1)})


def echo(request: HttpRequest) -> HttpResponse:
    """Return what came."""
    return HttpResponse(request.body)


def slow(request: HttpRequest) -> HttpResponse:
    """Answer after longer than a request may take."""
    time.sleep(1.2)
    return HttpResponse("at last")


async def slow_later(request: HttpRequest) -> HttpResponse:
    """Do the same on the event loop."""
    await asyncio.sleep(1.2)
    return HttpResponse("at last")


def fail(request: HttpRequest) -> HttpResponse:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    return HttpResponse(str(prices["pear"]))


async def fail_later(request: HttpRequest) -> HttpResponse:
    """Do the same on the event loop."""
    return fail(request)


urlpatterns: list[Any] = [
    path("process", process),
    path("items/<int:number>", item_later if IS_ASYNCHRONOUS else item),
    path("echo", echo),
    path("slow", slow_later if IS_ASYNCHRONOUS else slow),
    path("fail", fail_later if IS_ASYNCHRONOUS else fail),
]


def __getattr__(name: str) -> Any:
    """Make an application when a server asks for it, and not when Django reads the settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_site")
    if name == "wsgi":
        return get_wsgi_application()
    if name == "asgi":
        return get_asgi_application()
    raise AttributeError(name)
