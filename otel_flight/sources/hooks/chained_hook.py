"""A function of the process that anyone may replace, as `sys.excepthook`: ours passes each call on.

Whoever comes after us keeps our function as the one to pass calls on to. So when it cannot be
removed any more it stays and does nothing but that; it holds nothing of ours.

Programs look at the stack to tell who called: structlog and loguru walk out of `logging` by the
name of its file or of its module. A function of ours among its frames would be taken for the
caller, so where that matters it looks like the function that it replaces.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

See = Callable[..., None]
"""It is shown the arguments of each call, and must not raise."""


class ChainedHook:
    """One replaced function. Takes no lock: it is also put back in a forked child.

    Args:
        owner: the module or class that has the function.
        name: its name there.
        default: what to call when there is None in its place.
        is_seen_last: whether a call is shown after it has been passed on, and not before.
        within: the module whose part the function must seem to be; None: it need not.
    """

    def __init__(
        self,
        owner: Any,
        name: str,
        default: Callable[..., Any] | None = None,
        *,
        is_seen_last: bool = False,
        within: ModuleType | None = None,
    ) -> None:
        self._owner = owner
        self._name = name
        self._default = default
        self._is_seen_last = is_seen_last
        self._within = within
        self._previous: Any = None
        self._own: Callable[..., Any] | None = None
        self._seers: list[See] = []

    def add(self, see: See) -> None:
        """Show each call from now on; the first of those who see installs the hook."""
        if not self._seers:
            self._install()
        self._seers.append(see)

    def remove(self, see: See) -> None:
        """Stop showing calls; the last of those who saw removes the hook. Idempotent."""
        if see not in self._seers:
            return
        self._seers.remove(see)
        if self._seers:
            return
        if getattr(self._owner, self._name, None) is self._own:
            setattr(self._owner, self._name, self._previous)
        self._previous = self._own = None

    def _install(self) -> None:
        # A list of its own for each time: what was left in place when someone came after us must
        # not wake up again, and show every call twice.
        seers: list[See] = []
        self._seers = seers
        self._previous = getattr(self._owner, self._name)
        previous: Any = self._previous or self._default
        make = _seen_last if self._is_seen_last else _seen_first
        own = make(previous, seers)
        self._own = own if self._within is None else _as_part_of(self._within, own, previous)
        setattr(self._owner, self._name, self._own)


def _as_part_of(
    module: ModuleType, hook: Callable[..., Any], replaced: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a hook that a walk over the stack takes for the function it replaces.

    Its code claims the module's file, and the lines of that function; its globals are no module's,
    but have the module's name.
    """
    assert isinstance(hook, FunctionType)
    original = getattr(replaced, "__code__", hook.__code__)
    code = hook.__code__.replace(
        co_filename=module.__file__ or original.co_filename,
        co_name=original.co_name,
        co_firstlineno=original.co_firstlineno,
    )
    if sys.version_info >= (3, 11):
        code = code.replace(co_qualname=original.co_qualname)
    seeming = {
        "__name__": module.__name__,
        "__file__": module.__file__,
        "__builtins__": builtins,
    }
    disguised = FunctionType(code, seeming, original.co_name, None, hook.__closure__)
    for name in ("__module__", "__qualname__", "__doc__"):
        setattr(disguised, name, getattr(replaced, name, None))
    return disguised


def _seen_first(previous: Callable[..., Any], seers: list[See]) -> Callable[..., Any]:
    def hook(*arguments: Any) -> Any:
        for see in seers:
            see(*arguments)
        return previous(*arguments)

    return hook


def _seen_last(previous: Callable[..., Any], seers: list[See]) -> Callable[..., Any]:
    def hook(*arguments: Any) -> Any:
        try:
            return previous(*arguments)
        finally:
            for see in seers:
                see(*arguments)

    return hook
