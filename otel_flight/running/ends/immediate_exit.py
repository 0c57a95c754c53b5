"""`os._exit(0)`, which runs no exit handlers: forked children of many programs end by it.

Status 0 says that all is well, so that is the end of a process like any other. With another one it
gets away from something, and nothing may hold it up: what it leaves is in its ring.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn


class ImmediateExit:
    """Stands in the place of `os._exit` while somebody wants to be told of it. Any thread.

    It is no function, as those become methods of the classes that they are attributes of.
    """

    def __init__(self) -> None:
        self._exit: Callable[[int], NoReturn] = os._exit
        self._ends: list[Callable[[], object]] = []

    def add(self, end: Callable[[], object]) -> None:
        """Call something before the process ends so; once, however often it is added."""
        if end in self._ends:
            return
        self._ends.append(end)
        if len(self._ends) == 1 and os._exit is not self:
            self._exit = os._exit
            functools.update_wrapper(self, self._exit)
            self._replace(self._exit, self)

    def remove(self, end: Callable[[], object]) -> None:
        """Do not call it; `os._exit` is as it was if nobody else wants to be told."""
        if end in self._ends:
            self._ends.remove(end)
        if not self._ends:
            self._replace(self, self._exit)

    def __call__(self, status: int) -> NoReturn:
        """Do what is left to be done if all is well, and end the process."""
        try:
            if status == 0:
                for end in tuple(self._ends):
                    with contextlib.suppress(Exception):
                        end()
        finally:
            self._exit(status)

    def __reduce__(self) -> str:
        """Let another process have the function of that name."""
        return "_exit"

    def _replace(self, old: object, new: object) -> None:
        for module in (os, sys.modules.get(self._exit.__module__)):
            if getattr(module, "_exit", None) is old:
                vars(module)["_exit"] = new


IMMEDIATE_EXIT: Final = ImmediateExit()
"""The one of this process."""
