"""A shop of Django: much goes other than well in it, and nothing is wrong until a fault is."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from typing import Final, NoReturn

import requests
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from opentelemetry import trace
from opentelemetry.trace import SpanKind

DOWNSTREAM: Final = os.environ["DOWNSTREAM"]
LONG_SECONDS: Final = 1.5
SECRET_KEY = "of the tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "django_shop"
USE_TZ = True
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
tracer = trace.get_tracer("shop")
logger = logging.getLogger("shop.orders")


def item(request: HttpRequest, number: int) -> HttpResponse:
    """Return an item."""
    return JsonResponse({"number": number})


def missing(request: HttpRequest) -> NoReturn:
    """Look for what is not there."""
    raise Http404("no such item")


def denied(request: HttpRequest) -> NoReturn:
    """Let nobody in."""
    raise PermissionDenied


def suspicious(request: HttpRequest) -> NoReturn:
    """Refuse a request that nobody makes by mistake."""
    raise SuspiciousOperation("a forged cookie")


def exists(request: HttpRequest) -> HttpResponse:
    """Ask another service whether something exists."""
    return JsonResponse({"exists": requests.head(f"{DOWNSTREAM}/status/404", timeout=5).ok})


def _insert(error: sqlite3.Error) -> None:
    with tracer.start_as_current_span("INSERT orders", kind=SpanKind.CLIENT):
        raise error


def twice(request: HttpRequest) -> HttpResponse:
    """Insert what somebody else has inserted just before, and read that."""
    try:
        _insert(sqlite3.IntegrityError("UNIQUE constraint failed"))
    except sqlite3.IntegrityError:
        logger.warning("an order came twice")
    return JsonResponse({})


def bug(request: HttpRequest) -> HttpResponse:
    """Have a bug."""
    raise TypeError("no price")


def by_hand(request: HttpRequest) -> HttpResponse:
    """Write an exception down, and answer 500 by hand."""
    try:
        raise LookupError("no stock")
    except LookupError:
        logger.exception("the stock is not known")
    return HttpResponse(status=500)


def swallowed(request: HttpRequest) -> HttpResponse:
    """Write an exception down, and answer as if nothing had happened."""
    try:
        raise ArithmeticError("a negative price")
    except ArithmeticError:
        logger.exception("the discount is left out")
    return JsonResponse({})


def database(request: HttpRequest) -> HttpResponse:
    """Fail with the database."""
    _insert(sqlite3.OperationalError("disk I/O error"))
    return JsonResponse({})


def uncached(request: HttpRequest) -> HttpResponse:
    """Do without the cache, which is away."""
    try:
        with tracer.start_as_current_span("GET session", kind=SpanKind.CLIENT):
            raise ConnectionRefusedError("the cache is away")
    except ConnectionRefusedError:
        return JsonResponse({})


def slow(request: HttpRequest) -> HttpResponse:
    """Answer late."""
    time.sleep(LONG_SECONDS)
    return JsonResponse({})


urlpatterns = [
    path("items/<int:number>", item),
    path("missing", missing),
    path("denied", denied),
    path("suspicious", suspicious),
    path("exists", exists),
    path("twice", twice),
    path("bug", bug),
    path("by-hand", by_hand),
    path("swallowed", swallowed),
    path("database", database),
    path("uncached", uncached),
    path("slow", slow),
]
wsgi = get_wsgi_application
"""Gunicorn calls this, as `django_shop:wsgi()`, when the settings above are there."""
