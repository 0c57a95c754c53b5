"""Who else has the queue, the event or the condition that somebody waits for.

That is who may fill or empty it, or set it. It is known of a function that has that very object in
a variable of its own or of a function around it, in a global one that it uses, or in an attribute
of `self` that it uses. Who waits for it as well does not count. Runs no code of the application.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import islice
from types import CodeType
from typing import Final

from otel_flight.interpreter.code.origin import is_application
from otel_flight.interpreter.frames import Frame, Stack, values_in
from otel_flight.names.wait_kinds import THREAD
from otel_flight.sources.locks.locks import attribute_of
from otel_flight.sources.stacks.waits import wait_of_thread

MOST_FRAMES: Final = 20
"""At most this many frames of one stack are searched, from the innermost one on."""
MOST_NAMES: Final = 40
"""At most this many names of one function are looked up."""
_SELF: Final = "self"


def frame_sharing(thing: object, stack: Stack) -> Frame | None:
    """Return the innermost of the application's frames in a stack that has a thing, None if none.

    None as well where a method of the thing is at the end of the stack, or it waits for a thread.
    """
    searched = list(islice(reversed(stack), MOST_FRAMES))
    asked = [(frame, name) for frame in searched for name in _names_in(frame.code)]
    for (frame, name), value in zip(asked, values_in(asked), strict=True):
        is_own = is_application(frame.code.co_filename)
        if value is thing and not is_own:  # one of its methods
            return None
        if value is thing or (is_own and name == _SELF and _has(value, frame.code, thing)):
            wait = wait_of_thread(stack)
            return None if wait is not None and wait.kind == THREAD else frame
    return None


@functools.lru_cache(4096)
def _names_in(code: CodeType) -> Sequence[str]:
    if not is_application(code.co_filename):
        return [_SELF] if _SELF in code.co_varnames else []
    own = (*code.co_varnames, *code.co_cellvars, *code.co_freevars, *code.co_names)
    return list(dict.fromkeys(own))[:MOST_NAMES]


def _has(owner: object, code: CodeType, thing: object) -> bool:
    return any(attribute_of(owner, name) is thing for name in code.co_names[:MOST_NAMES])
