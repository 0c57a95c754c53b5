"""What is called around a fork: then there should be no thread of ours.

From 3.12 on, Python warns of a fork beside other threads, on the program's standard error. And what
a thread is in the middle of, such as an import, stays so in the child for ever.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def register_fork_hooks(
    before: Callable[[], None],
    after_in_parent: Callable[[], None],
    after_in_child: Callable[[], None],
) -> None:
    """Call an object's methods around each fork, for as long as it lives; they are held weakly."""
    methods = [weakref.WeakMethod(each) for each in (before, after_in_parent, after_in_child)]

    def call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
        hook = method()
        if hook is not None:
            hook()

    os.register_at_fork(
        before=lambda: call(methods[0]),
        after_in_parent=lambda: call(methods[1]),
        after_in_child=lambda: call(methods[2]),
    )
