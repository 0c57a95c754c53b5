"""The names of attributes that the events of exceptions have."""

from __future__ import annotations

from typing import Final

TYPE: Final = "exception.type"
MESSAGE: Final = "exception.message"
STACKTRACE: Final = "exception.stacktrace"
CHAIN: Final = "flight_recorder.exception.chain"
"""It says what an exception was raised from, or while handling, the first one first."""

ENDED: Final = "flight_recorder.exception.ended"
"""It says what an unhandled exception put an end to, one of these."""
MAIN_THREAD: Final = "main thread"
THREAD: Final = "thread"
TASK: Final = "asyncio"
FINALIZER: Final = "finalizer"

WHERE: Final = "flight_recorder.exception.where"
"""It says which thread, or what asyncio or the interpreter says of it."""
CAUGHT: Final = "flight_recorder.exception.caught"
"""It says whether a raised exception was caught."""
CAUGHT_IN: Final = "flight_recorder.exception.caught_in"
"""It says where it was caught, as `function (file:line)`; the line is that of the call that
failed."""
TIMES: Final = "flight_recorder.exception.times"
"""It says how often it was raised at that place in that span, within a tick or two."""
