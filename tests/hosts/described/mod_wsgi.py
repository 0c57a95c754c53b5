"""Apache with mod_wsgi: in the main interpreter, and in a subinterpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import serve

_AS_NOBODY: Final = (
    "setpriv --reuid=65534 --regid=65534 --clear-groups "
    "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
)
"""Apache does not serve as root; whoever may read everything finds the interpreter anywhere."""


def _host(arguments: str, *, note: str = "") -> Host:
    return Host(
        name=f"mod_wsgi-express {arguments}".strip(),
        section="Apache with mod_wsgi",
        command=(
            f"{_AS_NOBODY} opentelemetry-instrument mod_wsgi-express start-server {arguments} "
            "--processes 2 --threads 4 --server-root {folder}/server --host 127.0.0.1 "
            "--port {port} --locale C.UTF-8 --log-to-terminal --callable-object app flask_app.py"
        ),
        packages=("mod_wsgi", "flask"),
        instrumentations=("flask",),
        programs=("setpriv",),
        traffic=serve,
        incidents=(Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail")),
        runs_exit_handlers=False,
        needs_root=True,
        note=note,
    )


HOSTS: Final[Sequence[Host]] = [
    _host(""),
    _host("--application-group shop", note="The application is in a subinterpreter."),
]
