"""Tell the application's own code from the interpreter's and from installed packages, by file."""

from __future__ import annotations

import functools
import re
import sysconfig
from typing import Final

_STANDARD: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")} - {None, ""}
)
_INSTALLED: Final = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_LIBRARY: Final = re.compile(r"[/\\]lib(?:64)?[/\\]python\d(?:\.\d+)?[/\\]", re.IGNORECASE)
_BEGINNING: Final = re.compile(
    r".*[/\\](?:(?:site|dist)-packages|lib(?:64)?[/\\]python\d(?:\.\d+)?)[/\\]", re.IGNORECASE
)


@functools.lru_cache(4096)
def is_application(file: str) -> bool:
    """Return whether a file is neither the interpreter's nor an installed package's.

    By its name alone: the file may be on another machine.
    """
    return bool(file) and not is_standard(file) and not _INSTALLED.search(file)


@functools.lru_cache(4096)
def is_standard(file: str) -> bool:
    """Return whether a file is the interpreter's, or was made up by it: `<string>`."""
    if file.startswith("<") or not file:
        return True
    if _INSTALLED.search(file):
        return False
    return file.startswith(_STANDARD) or _LIBRARY.search(file) is not None


@functools.lru_cache(4096)
def short_file(file: str) -> str:
    """Return a file as it stands in a sentence: below its package folder, or its last two parts."""
    rest = _BEGINNING.sub("", file)
    if rest != file:
        return rest
    return "/".join(file.replace("\\", "/").rstrip("/").split("/")[-2:])


def file_name(file: str) -> str:
    """Return the last part of a path, of whichever system."""
    return file.replace("\\", "/").rpartition("/")[2]
