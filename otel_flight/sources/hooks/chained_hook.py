"""A function of the process that anyone may replace, as `sys.excepthook`: ours passes each call on.

Whoever comes after us keeps our function as the one to pass calls on to. So when it cannot be taken
out any more it stays and does nothing but that; it holds nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """

    def __init__(
        self,
        owner: Any,
        name: str,
        default: Callable[..., Any] | None = None,
        *,
        is_seen_last: bool = False,
    ) -> None:
        self._owner = owner
        self._name = name
        self._default = default
        self._is_seen_last = is_seen_last
        self._previous: Any = None
        self._own: Callable[..., Any] | None = None
        self._seers: list[See] = []

    def add(self, see: See) -> None:
        """Show each call from now on; the first of those who see puts the hook in."""
        if not self._seers:
            self._put_in()
        self._seers.append(see)

    def remove(self, see: See) -> None:
        """Stop showing calls; the last of those who saw takes the hook out. Idempotent."""
        if see not in self._seers:
            return
        self._seers.remove(see)
        if self._seers:
            return
        if getattr(self._owner, self._name, None) is self._own:
            setattr(self._owner, self._name, self._previous)
        self._previous = self._own = None

    def _put_in(self) -> None:
        # A list of its own for each time: what was left in place when someone came after us must
        # not wake up again, and show every call twice.
        seers: list[See] = []
        self._seers = seers
        self._previous = getattr(self._owner, self._name)
        previous: Any = self._previous or self._default
        make = _seen_last if self._is_seen_last else _seen_first
        self._own = make(previous, seers)
        setattr(self._owner, self._name, self._own)


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
