"""The services that answer by HTTP."""

from __future__ import annotations

from typing import Final

from websockets.sync.client import connect

from tests.traffic.service import Fault, Service, get, leave

_GUNICORN: Final = "-m gunicorn -w 1 --threads 8 --graceful-timeout 5 -b 127.0.0.1:{port}"


def _talk(port: int) -> None:
    """Say something on a websocket, listen for long, and leave."""
    with connect(f"ws://127.0.0.1:{port}/socket") as connection:
        connection.send("hello")
        connection.recv()
        try:
            connection.recv(timeout=1.3)
        except TimeoutError:
            return


FASTAPI: Final = Service(
    name="fastapi",
    command="-m uvicorn fastapi_shop:app --port {port} --no-access-log",
    ordinary=(
        *(get(f"/items/{number}") for number in range(1000, 1020)),
        get("/items/none", 422),
        get("/missing/7", 404),
        get("/nowhere", 404),
        get("/exists"),
        get("/retried"),
        get("/events"),
        get("/after"),
        leave("/patient", 0.1),
        leave("/events", 0.1),
        _talk,
    ),
    survived="error span GET /retried (in GET)",
    faults=(
        Fault(act=get("/bug", 500), title="error span GET /bug (in add up)"),
        Fault(act=get("/broken", 500), title="error span GET /broken"),
        Fault(act=get("/slow"), title="slow local root GET /slow"),
        Fault(act=leave("/hangs", 5), title="slow local root GET /hangs"),
        Fault(act=get("/blocks"), title="slow local root GET /blocks", culprit="`blocks ("),
        Fault(act=get("/forgets"), title="unhandled exception ConnectionError"),
    ),
)
FLASK: Final = Service(
    name="flask",
    command=f"{_GUNICORN} flask_shop:app",
    ordinary=(
        *(get(f"/items/{number}") for number in range(1000, 1020)),
        *(get(f"/refused/{status}", status) for status in (400, 401, 404, 410, 429)),
        get("/nowhere", 404),
        get("/invalid", 400),
        get("/exists"),
        get("/export"),
        leave("/export", 0.1),
    ),
    faults=(
        Fault(act=get("/bug", 500), title="error span GET /bug"),
        Fault(act=get("/unavailable", 503), title="error span GET /unavailable"),
        Fault(act=get("/gateway", 500), title="error span GET /gateway"),
        Fault(act=get("/deep", 500), title="error span GET /deep"),
        Fault(act=get("/slow"), title="slow local root GET /slow"),
        Fault(act=get("/thread"), title="unhandled exception OSError"),
    ),
)
DJANGO: Final = Service(
    name="django",
    command=f"{_GUNICORN} django_shop:wsgi()",
    environment={"DJANGO_SETTINGS_MODULE": "django_shop"},
    ordinary=(
        *(get(f"/items/{number}") for number in range(1000, 1020)),
        get("/missing", 404),
        get("/denied", 403),
        get("/suspicious", 400),
        get("/nowhere", 404),
        get("/exists"),
        get("/twice"),
    ),
    faults=(
        Fault(act=get("/bug", 500), title="error span GET bug"),
        Fault(act=get("/by-hand", 500), title="error span GET by-hand"),
        Fault(act=get("/swallowed"), title="log record ERROR shop.orders"),
        Fault(act=get("/database", 500), title="error span GET database (in INSERT orders)"),
        Fault(act=get("/uncached"), title="error span GET uncached (in GET session)"),
        Fault(act=get("/slow"), title="slow local root GET slow"),
    ),
)
