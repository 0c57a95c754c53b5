"""The exception that ended the main program, as the interpreter leaves it behind.

Not by `sys.excepthook`: whether that is the interpreter's own tells a console over the network
where a traceback goes, so replacing it sends the user's typos to the server's log; and a program
that replaces it later would hide everything. The interpreter notes what it reports in `sys` before
it calls any hook. Consoles and notebooks note what their users do wrong there as well: that did not
come through the outermost frame there is, or through no file of the main program.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final

_MOST_FRAMES: Final = 8
"""The main program is looked for in at most this many frames, from the outermost one on."""
MODULE: Final = "<module>"
"""This is the name of the code of a module, the main program's too."""
_OUTERMOST: Final = frozenset({MODULE, "_run_module_as_main"})
"""What the interpreter calls first has one of these names, the second one for `python -m`. What did
not come through that was caught by somebody: the kernel that runs the cells of a notebook."""
_COMMAND: Final = "<string>"
"""The program of `python -c` has this instead of a file."""
_NO_FILE: Final = "<"
"""The name of what a console runs begins with this, as of all that is in no file."""


def reported_error() -> BaseException | None:
    """Return the exception that the interpreter, or a console, reported last. Never blocks."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def has_ended_main(error: BaseException) -> bool:
    """Return whether an exception that was reported came out of the main program."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    traceback: TracebackType | None = error.__traceback__
    if traceback is None or traceback.tb_frame.f_code.co_name not in _OUTERMOST:
        return False
    for _ in range(_MOST_FRAMES):
        if traceback is None:
            return False
        frame = traceback.tb_frame
        code = frame.f_code
        if code.co_name == MODULE and _is_program(code.co_filename, file):
            return main is None or frame.f_globals is vars(main)
        traceback = traceback.tb_next
    return False


def _is_program(file: str, known: str | None) -> bool:
    """Return whether a file is the program's, which is not known any more when it has ended."""
    return file == known if known else file == _COMMAND or not file.startswith(_NO_FILE)
