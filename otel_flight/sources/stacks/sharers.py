"""Who else has the queue, the event or the condition that somebody waits for.

That is who may fill or empty it, or set it. It is known of a function that has that very object in
a variable of its own or of a function around it, in a global one that it uses, or in an attribute
of `self` that it uses. Who waits for it as well does not count. Runs no code of the application.
"""

from __future__ import annotations

from itertools import islice
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


def frame_sharing(thing: object, stack: Stack, _: int = 0) -> Frame | None:
    """Return the innermost of the application's frames in a stack that has a thing, None if none.

    None as well where a method of the thing is at the end of the stack, or it waits for a thread.
    """
    searched = list(islice(reversed(stack), MOST_FRAMES))
    within = [each for each in searched if not is_application(each.code.co_filename)]
    if any(value is thing for value in values_in((each, _SELF) for each in within)):
        return None
    wait = wait_of_thread(stack)
    if wait is not None and wait.kind == THREAD:
        return None
    return next((each for each in searched if each not in within and _has(each, thing)), None)


def _has(frame: Frame, thing: object) -> bool:
    code = frame.code
    own = (*code.co_varnames, *code.co_cellvars, *code.co_freevars, *code.co_names)[:MOST_NAMES]
    if any(value is thing for value in values_in((frame, name) for name in own)):
        return True
    if code.co_varnames[:1] != (_SELF,):
        return False
    (owner,) = values_in([(frame, _SELF)])
    return any(attribute_of(owner, name) is thing for name in code.co_names[:MOST_NAMES])
