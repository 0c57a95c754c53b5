"""Who has a connection of a pool that has none left, as far as frames tell.

A pool knows how many connections are out, not who has them. But who works with one has it in a
local variable, or is inside the pool's own function that works with it. That is looked at for
SQLAlchemy (connections and sessions) and for urllib3 (hence requests); of others, nobody is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otel_flight.interpreter.frames import Frame, Stack, values_in, values_of_packages
from otel_flight.sources.locks.locks import attribute_of

MOST_FRAMES: Final = 40
"""At most this many frames of one stack are searched, from the innermost one on."""
_PACKAGES: Final = ("sqlalchemy", "urllib3")
_WORKS_WITH_ONE: Final = ("urllib3/connectionpool.py", "_make_request")
_LEADS_ON: Final = ("_dbapi_connection", "_transaction")
"""These lead from a connection of SQLAlchemy to what its pool has given out, and from a session
inwards."""
_GIVEN_BACK: Final = ("dbapi_connection", "_connection")
"""These, of SQLAlchemy and of urllib3, are None when the connection is in the pool again."""
_MOST_STEPS: Final = 4


def has_connection(stack: Stack, pool: object) -> bool:
    """Return whether a stack has a connection of a pool for certain. Runs no code of others."""
    searched = stack[-MOST_FRAMES:]
    at_work = [frame for frame in searched if _works_with_one(frame)]
    if any(value is pool for value in values_in((frame, "self") for frame in at_work)):
        return True
    others = [frame for frame in searched if frame not in at_work]
    values = values_of_packages(others, _PACKAGES)
    return any(_is_connection(value, pool, _MOST_STEPS) for value in values)


def _works_with_one(frame: Frame) -> bool:
    file, function = _WORKS_WITH_ONE
    code = frame.code
    return code.co_name == function and code.co_filename.replace("\\", "/").endswith(file)


def _is_connection(value: object, pool: object, steps: int) -> bool:
    if not steps or _package_of(type(value)) not in _PACKAGES:
        return False
    if attribute_of(value, "_pool") is pool:
        return all(attribute_of(value, name, pool) is not None for name in _GIVEN_BACK)
    return any(_is_connection(each, pool, steps - 1) for each in _inside(value))


def _package_of(kind: type) -> str:
    module = type.__getattribute__(kind, "__module__")  # not what a metaclass makes of it
    return module.partition(".")[0] if type(module) is str else ""


def _inside(value: object) -> Iterator[object]:
    for name in _LEADS_ON:
        yield attribute_of(value, name)
    of_session = attribute_of(value, "_connections")
    if type(of_session) is dict:
        for entry in list(of_session.values()):
            yield entry[0] if type(entry) is tuple and entry else None
