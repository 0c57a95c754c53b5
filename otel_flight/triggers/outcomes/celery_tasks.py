"""What a task of Celery says of its exceptions: those that it `throws` are expected of it.

Its instrumentation gives their spans the status ERROR all the same. Nothing is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_flight.ground.signal_errors import pass_on

_TASK: Final = "celery.task_name"
_STATE: Final = "celery._state"
_MOST_CLASSES: Final = 1_000
"""At most so many classes are looked through that are below those that a task throws."""


def is_thrown_by_task(attributes: Mapping[str, Any], exception: str) -> bool:
    """Return whether the task of a span expects an exception.

    Args:
        attributes: of the span.
        exception: its class, with the module unless it is a built-in one.
    """
    name, state = attributes.get(_TASK), sys.modules.get(_STATE)
    if not name or state is None or not exception:
        return False
    try:
        thrown = state.get_current_app().tasks[name].throws
        return any(_name_of(each) == exception for each in _with_subclasses(thrown))
    except Exception as error:  # noqa: BLE001  (a task that is gone, or another kind of Celery)
        pass_on(error)
        return False


def _with_subclasses(classes: Any) -> Iterator[type]:
    waiting = list(classes) if isinstance(classes, tuple) else [classes]
    for _ in range(_MOST_CLASSES):
        if not waiting:
            return
        each = waiting.pop()
        yield each
        waiting += each.__subclasses__()


def _name_of(kind: type) -> str:
    is_builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"
