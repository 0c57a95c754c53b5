"""Where the records of `logging` are seen: after `Logger.callHandlers`, of every logger.

What does not work:

- a handler on the root logger: it misses loggers that do not propagate, `dictConfig` takes it away
  (uvicorn and gunicorn call that when they start), its lock is one more to wait for, and where
  nothing else is configured its presence silences Python's own last resort;
- a record factory: it also sees what the logger's filters keep back, and empty records that
  `makeLogRecord` is about to fill; and it comes before the handlers, so the message would be
  formatted once more than without us.

`callHandlers` is where a record has passed its logger's level and filters and nothing has been
decided about handlers. After it, the message that a handler formatted stands in the record. No
configuration touches a method of the class. What stays unseen, as nothing is called for it: records
below their logger's level, and those of loggers that `dictConfig` has disabled.
"""

from __future__ import annotations

import logging
from typing import Final

from otel_flight.ground.signal_errors import pass_on
from otel_flight.sources.hooks.chained_hook import ChainedHook

LOG_TAP: Final = ChainedHook(logging.Logger, "callHandlers", is_seen_last=True, within=logging)
"""It shows logger and record, on the thread that logs. Test the level first: it is called for each
record."""


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message, in the words of the handler that formatted it if one did.

    Formatting runs the application's code, `__str__` of the arguments, as any handler would.
    """
    formatted = record.__dict__.get("message")
    if type(formatted) is str:
        return formatted
    try:
        return str(record.getMessage())
    except Exception as error:  # noqa: BLE001  (the application's code)
        pass_on(error)
        return f"{record.msg if type(record.msg) is str else ''} <not formatted: {_name(error)}>"


def _name(error: Exception) -> str:
    return type(error).__name__
