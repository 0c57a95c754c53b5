"""Tell the application's own code from the interpreter's and from installed packages, by file."""

from __future__ import annotations

import functools
import re
import sysconfig
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

_STANDARD: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")} - {None, ""}
)
_INSTALLED: Final = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_LIBRARY: Final = re.compile(r"[/\\]lib(?:64)?[/\\]python\d(?:\.\d+)?[/\\]", re.IGNORECASE)
_BEGINNING: Final = re.compile(
    r".*[/\\](?:(?:site|dist)-packages|lib(?:64)?[/\\]python\d(?:\.\d+)?)[/\\]", re.IGNORECASE
)
# Servers, and what else starts an application that is in another file.
_SERVERS: Final = (
    "aiohttp|arq|celery|daphne|dramatiq|faststream|flask|flower|granian|gunicorn|hypercorn|huey|"
    "kombu|litestar|nameko|rq|rqworker|sanic|taskiq|uvicorn|waitress-serve|django-admin|uwsgi|"
    "opentelemetry-instrument|pytest|fastapi"
)
_SCRIPT: Final = re.compile(
    rf"[/\\](?:bin|Scripts)[/\\](?:{_SERVERS})(?:-script\.pyw?|\.exe[/\\]__main__\.py)?$"
)
_LAUNCHER: Final = re.compile(
    r"[/\\](?:aiohttp[/\\]web|celery[/\\](?:bin[/\\]\w+|__main__|apps[/\\]worker|worker[/\\]worker)|"
    r"click[/\\]core|daphne[/\\]\w+|django[/\\]core[/\\]management[/\\].*|"
    r"dramatiq[/\\](?:cli|__main__)|flask[/\\]cli|gevent[/\\]pywsgi|granian[/\\].*|"
    r"gunicorn[/\\](?:app[/\\]\w+|arbiter)|hypercorn[/\\](?:run|__main__)|"
    r"rq[/\\]cli[/\\]\w+|sanic[/\\](?:cli|worker)[/\\].*|typer[/\\]main|"
    r"uvicorn[/\\](?:__main__|_compat|main|server)|waitress[/\\]__init__|werkzeug[/\\]serving|"
    r"wsgiref[/\\]simple_server|socketserver)\.py$"
)
_BEGIN: Final = ("<module>", "_run_module_as_main")
"""A program begins with one of these functions."""


@functools.lru_cache(4096)
def is_application(file: str) -> bool:
    """Return whether a file is neither the interpreter's nor an installed package's.

    Nor a script that only starts a server. By its name alone: the file may be on another machine.
    """
    return not (not file or is_standard(file) or _INSTALLED.search(file) or _SCRIPT.search(file))


@functools.lru_cache(4096)
def is_launcher(file: str) -> bool:
    """Return whether a file of a server is what a program is started with.

    A request is served further in: whoever called this only waits for the end of the process.
    """
    return _LAUNCHER.search(file) is not None


def work_in(frames: Sequence[_T], named: Callable[[_T], tuple[str, str]]) -> Sequence[_T]:
    """Return what of a stack, outermost first, is behind what started the program and its server.

    All of it where no server of the table is in it, and on threads that did not start the program.

    Args:
        frames: the stack.
        named: returns a frame's function and file.
    """
    if not frames or named(frames[0])[0] not in _BEGIN:
        return frames
    first = (at for at, frame in enumerate(frames) if is_launcher(named(frame)[1]))
    return frames[next(first, 0) :]


@functools.lru_cache(4096)
def is_standard(file: str) -> bool:
    """Return whether a file is the interpreter's, or was made up by it: `<string>`."""
    if file.startswith("<") or not file:
        return True
    if _INSTALLED.search(file):
        return False
    return file.startswith(_STANDARD) or _LIBRARY.search(file) is not None


@functools.lru_cache(4096)
def short_file(file: str) -> str:
    """Return a file as it stands in a sentence: below its package folder, or its last two parts."""
    rest = _BEGINNING.sub("", file)
    if rest != file:
        return rest
    return "/".join(file.replace("\\", "/").rstrip("/").split("/")[-2:])


def file_name(file: str) -> str:
    """Return the last part of a path, of whichever system."""
    return file.replace("\\", "/").rpartition("/")[2]
