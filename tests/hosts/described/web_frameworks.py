"""Other servers and frameworks of the web."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import serve

_SECTION: Final = "Web frameworks"
INCIDENTS: Final = (Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail"))
_DJANGO: Final = {"DJANGO_SETTINGS_MODULE": "django_site"}
_DJANGO_INCIDENTS: Final = (Expected(SLOW, "GET slow"), Expected(FAILED, "GET fail"))


def _flask_run(arguments: str = "") -> Host:
    return Host(
        name=f"flask run{arguments}",
        # The reloader of `--debug` kills its child.
        runs_exit_handlers=not arguments,
        section=_SECTION,
        command=f"opentelemetry-instrument flask --app flask_app run{arguments} --port {{port}}",
        packages=("flask", "werkzeug"),
        instrumentations=("flask",),
        traffic=serve,
        incidents=INCIDENTS,
    )


HOSTS: Final[Sequence[Host]] = [
    Host(
        name="Django on gunicorn",
        section=_SECTION,
        command=(
            "opentelemetry-instrument gunicorn -w 2 --threads 2 -b 127.0.0.1:{port} "
            "django_site:wsgi"
        ),
        packages=("django", "gunicorn"),
        instrumentations=("django",),
        environment=_DJANGO,
        traffic=serve,
        incidents=_DJANGO_INCIDENTS,
    ),
    Host(
        name="Django on uvicorn, asynchronous views",
        section=_SECTION,
        command="opentelemetry-instrument uvicorn --port {port} django_site:asgi",
        packages=("django", "uvicorn"),
        instrumentations=("asgi", "django"),
        environment=_DJANGO,
        traffic=serve,
        incidents=_DJANGO_INCIDENTS,
    ),
    Host(
        name="Django's runserver",
        # The reloader kills its child.
        runs_exit_handlers=False,
        section=_SECTION,
        command="opentelemetry-instrument python -m django runserver {port}",
        packages=("django",),
        instrumentations=("django",),
        environment={**_DJANGO, "PYTHONPATH": "."},
        traffic=serve,
        incidents=_DJANGO_INCIDENTS,
    ),
    _flask_run(),
    _flask_run(" --debug"),
    Host(
        name="aiohttp",
        section=_SECTION,
        command="opentelemetry-instrument python -m aiohttp.web -P {port} aiohttp_app:make_app",
        packages=("aiohttp",),
        instrumentations=("aiohttp-server",),
        traffic=serve,
        incidents=INCIDENTS,
    ),
    Host(
        name="eventlet.wsgi",
        section=_SECTION,
        command="opentelemetry-instrument python eventlet_server.py {port}",
        packages=("eventlet", "flask"),
        instrumentations=("flask",),
        traffic=serve,
        incidents=INCIDENTS,
        note="gunicorn has no worker for eventlet any more.",
    ),
]
