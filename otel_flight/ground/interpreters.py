"""What knows of the other interpreters of this process; it was renamed after Python 3.12.

It is imported with the recorder, and not when it is asked: a child that is forked while another
thread is in the middle of that import would wait for its end for ever.
"""

from __future__ import annotations

from typing import Any, Final


def _find() -> Any:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            continue
    return None


INTERPRETERS: Final = _find()
"""It is the module; None: this Python has none."""
