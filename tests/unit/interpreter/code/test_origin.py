"""Which files are the application's."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from otel_flight.interpreter.code.origin import is_application, is_standard, short_file, work_in


@pytest.mark.parametrize(
    ("file", "application", "standard", "short"),
    [
        ("/srv/shop/app.py", True, False, "shop/app.py"),
        ("app.py", True, False, "app.py"),
        ("/srv/.venv/lib/python3.11/site-packages/flask/app.py", False, False, "flask/app.py"),
        ("/usr/lib/python3/dist-packages/yaml/loader.py", False, False, "yaml/loader.py"),
        ("/usr/lib64/python3.12/asyncio/locks.py", False, True, "asyncio/locks.py"),
        ("/opt/py/lib/python3.10/threading.py", False, True, "threading.py"),
        (r"C:\Python312\Lib\site-packages\flask\app.py", False, False, "flask/app.py"),
        ("/srv/.venv/bin/gunicorn", False, False, "bin/gunicorn"),
        (r"C:\venv\Scripts\uvicorn.exe\__main__.py", False, False, "uvicorn.exe/__main__.py"),
        ("/srv/shop/bin/import_orders", True, False, "bin/import_orders"),
        ("<string>", False, True, "<string>"),
        ("<frozen importlib._bootstrap>", False, True, "<frozen importlib._bootstrap>"),
        ("", False, True, ""),
    ],
)
def test_files_by_their_names(file: str, application: bool, standard: bool, short: str) -> None:
    """Of any machine: nothing is looked up."""
    assert is_application(file) is application
    assert is_standard(file) is standard
    assert short_file(file).replace("\\", "/") == short


def test_files_of_this_interpreter() -> None:
    """Its own, an installed package's, and this one."""
    assert is_standard(json.__file__)
    assert not is_application(json.__file__)
    assert not is_application(msgspec.__file__)
    assert is_application(str(Path(__file__)))


_PACKAGES = "/srv/.venv/lib/python3.11/site-packages"
_MANAGE = [("<module>", "/srv/manage.py"), ("main", "/srv/manage.py")]
_COMMAND = [("execute", f"{_PACKAGES}/django/core/management/__init__.py")]
_WORK = [("handle", "/srv/shop/import.py"), ("read", "/srv/shop/rows.py")]


@pytest.mark.parametrize(
    ("stack", "work"),
    [
        (_MANAGE + _COMMAND + _WORK, _COMMAND + _WORK),
        (_MANAGE + _WORK, _MANAGE + _WORK),
        ([("_bootstrap", "/usr/lib/python3.11/threading.py"), *_WORK, *_COMMAND, *_WORK], None),
        ([], None),
    ],
    ids=["a command", "a script", "a command within a request", "nothing"],
)
def test_work_begins_behind_what_starts_a_server(
    stack: list[tuple[str, str]], work: list[tuple[str, str]] | None
) -> None:
    """Who started it has nothing to do with what it does for a request."""
    assert list(work_in(stack, lambda frame: frame)) == (stack if work is None else work)
