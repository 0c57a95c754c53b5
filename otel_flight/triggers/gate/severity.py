"""How bad what a trigger fires for is: which of several causes an incident is called by."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """The lower the number, the worse."""

    DIED = 0
    """The process ended by it."""
    UNHANDLED = 1
    """An exception ended a thread or a task, and nobody handled it."""
    FAILED = 2
    """A local root failed: a request answered by 5xx, a job that an exception left."""
    SLOW = 3
    """A local root takes too long."""
    OTHER = 4
    """Anything else, and what a person or a program asks for."""
    SURVIVED = 5
    """An error happened below a local root that went well all the same, as far as is known."""
