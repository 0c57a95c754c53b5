"""A view of Django that reads with its ORM."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, models
from django.http import HttpRequest, JsonResponse
from django.urls import path
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

from benchmarks.handlers.shop import ROWS

urlpatterns: list[Any] = []
_ENVIRONMENT = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/orders/7",
    "SERVER_NAME": "shop.internal",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "wsgi.url_scheme": "http",
}


def open_handler() -> Callable[[], object]:
    """Return what serves one request."""
    SQLite3Instrumentor().instrument()
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    )
    DjangoInstrumentor().instrument()
    django.setup()

    class Item(models.Model):  # type: ignore[misc]
        price = models.IntegerField()

        class Meta:
            app_label = "shop"

    with connection.schema_editor() as editor:
        editor.create_model(Item)
    for number in range(ROWS):
        Item.objects.create(id=number, price=number)

    def read_order(_: HttpRequest, order_id: int) -> JsonResponse:
        total = sum(Item.objects.get(id=number).price for number in range(ROWS))
        return JsonResponse({"order": order_id, "total": total})

    urlpatterns.append(path("orders/<int:order_id>", read_order))
    application: Any = WSGIHandler()

    def serve() -> None:
        response = application({**_ENVIRONMENT, "wsgi.input": io.BytesIO()}, lambda *_: None)
        if response.status_code != 200:
            raise RuntimeError(response.content)
        response.close()

    return serve
