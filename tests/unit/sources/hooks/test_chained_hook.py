"""A replaced function of the process, which others replace as well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from otel_flight.sources.hooks.chained_hook import ChainedHook


class Module:
    """Something with a hook, and a note of every call in its order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.place = SimpleNamespace(hook=self.original)

    def original(self, argument: Any) -> str:
        """What was there first."""
        self.calls.append(("original", argument))
        return "answer"

    def see(self, argument: Any) -> None:
        """Ours."""
        self.calls.append(("seen", argument))

    def also_see(self, argument: Any) -> None:
        """Ours, too."""
        self.calls.append(("also seen", argument))


@pytest.mark.parametrize(
    ("is_last", "order"), [(False, ["seen", "original"]), (True, ["original", "seen"])]
)
def test_a_call_is_seen_and_passed_on(is_last: bool, order: list[str]) -> None:
    """Before or after what was there, with the same argument and the same result."""
    module = Module()
    hook = ChainedHook(module.place, "hook", is_seen_last=is_last)

    hook.add(module.see)
    answer = module.place.hook(7)
    hook.remove(module.see)

    assert answer == "answer"
    assert module.calls == [(name, 7) for name in order]


def test_the_hook_is_back_after_the_last_who_saw() -> None:
    """Several share one replacement; the place is then as it was."""
    module = Module()
    hook = ChainedHook(module.place, "hook")
    before = module.place.hook

    hook.add(module.see)
    hook.add(module.also_see)
    hook.remove(module.see)
    module.place.hook(1)
    hook.remove(module.also_see)
    hook.remove(module.also_see)

    assert module.calls == [("also seen", 1), ("original", 1)]
    assert module.place.hook == before


def test_a_later_hook_is_left_in_place() -> None:
    """Who came after us still passes calls on through us, which no longer does anything."""
    module = Module()
    hook = ChainedHook(module.place, "hook")
    hook.add(module.see)
    ours = module.place.hook

    def later(argument: Any) -> Any:
        module.calls.append(("later", argument))
        return ours(argument)

    module.place.hook = later
    hook.remove(module.see)
    module.place.hook(1)

    assert module.place.hook is later
    assert module.calls == [("later", 1), ("original", 1)]


def test_starting_again_under_a_later_hook_shows_each_call_once() -> None:
    """What was left inside does not wake up again."""
    module = Module()
    hook = ChainedHook(module.place, "hook")
    hook.add(module.see)
    ours = module.place.hook
    module.place.hook = lambda argument, /: ours(argument)
    hook.remove(module.see)

    hook.add(module.see)
    module.place.hook(1)
    hook.remove(module.see)

    assert module.calls == [("seen", 1), ("original", 1)]


def test_none_stands_for_the_default() -> None:
    """As the interpreter takes it; None is what is put back."""
    module = Module()
    module.place.hook = None
    hook = ChainedHook(module.place, "hook", module.original)

    hook.add(module.see)
    answer = module.place.hook(1)
    hook.remove(module.see)

    assert answer == "answer"
    assert module.place.hook is None


def test_what_the_hook_raises_goes_on() -> None:
    """A call that fails is seen all the same, and fails for its caller."""
    module = Module()

    def failing(argument: Any) -> None:
        raise KeyError(argument)

    module.place.hook = failing
    hook = ChainedHook(module.place, "hook", is_seen_last=True)
    hook.add(module.see)

    with pytest.raises(KeyError):
        module.place.hook(1)
    hook.remove(module.see)

    assert module.calls == [("seen", 1)]
