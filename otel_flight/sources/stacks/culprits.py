"""The one function to name of a whole stack: the application's innermost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType

from otel_flight.interpreter.code.origin import (
    is_application,
    is_launcher,
    is_standard,
    short_file,
    work_in,
)
from otel_flight.interpreter.code.places import Place, enclosing_function, qualified_name
from otel_flight.names import attributes as names


def culprit_of(places: Sequence[Place]) -> tuple[CodeType, int] | None:
    """Return the innermost place in the application, else in a package, else anywhere."""
    in_code = [(code, line) for code, line in places if isinstance(code, CodeType)]
    in_code = list(work_in(in_code, _named))[::-1]
    for is_wanted in (is_application, _is_at_work, lambda file: True):
        for code, line in in_code:
            if is_wanted(code.co_filename):
                return code, line
    return None


def described(places: Sequence[Place]) -> str:
    """Return the function to name as it stands in a sentence: `crunch (shop/app.py:12)`."""
    found = culprit_of(places)
    if found is None:
        return ""
    code, line = found
    function = enclosing_function(qualified_name(code))
    return f"{function} ({short_file(code.co_filename)}:{line})"


def described_from(places: Sequence[Place]) -> str:
    """Return the outermost place and, where another one is to be named of those below, that one."""
    return ", in ".join(dict.fromkeys(filter(None, (described(places[:1]), described(places)))))


def culprit_attributes(places: Sequence[Place]) -> Mapping[str, str | int]:
    """Return the function to name as the semantic conventions have it."""
    found = culprit_of(places)
    if found is None:
        return {}
    code, line = found
    return {names.FUNCTION: qualified_name(code), names.FILE: code.co_filename, names.LINE: line}


def _is_at_work(file: str) -> bool:
    return not is_standard(file) and not is_launcher(file)


def _named(place: tuple[CodeType, int]) -> tuple[str, str]:
    return place[0].co_name, place[0].co_filename
