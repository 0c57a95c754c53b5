"""Imports this package's modules from memory, where threads of the application compute.

The import system gives up the GIL ten times for each module, and gets it back after 5 ms for each
thread that computes: with eight of them, a hundred modules take a minute. Here all are read at
once, without the GIL. Each is then found, checked and run as by Python's own loader.

Where the C part is missing, or modules do not lie in plain files, they are imported as ever.
"""

from __future__ import annotations

import contextlib
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

try:
    import otel_flight.running._read_ahead as _read_ahead  # type: ignore[import-not-found]  # noqa: PLR0402
except ImportError:  # not compiled: nothing is read ahead
    _read_ahead = None

_PACKAGE: Final = "otel_flight"
_NEVER_RECORDS: Final = "cli"
"""The directory of this name has nothing that a recorder imports."""


class Read(NamedTuple):
    """What the import system asks of a module's files."""

    source: str
    modified: int
    size: int
    code: bytes


@contextlib.contextmanager
def modules_in_memory() -> Iterator[None]:
    """Let modules of this package be imported from memory, in a `with` block. Blocks for 10 ms.

    Only where this package lies, something else is found than before.
    """
    finders = {directory: Finder(directory, read) for directory, read in _read().items()}
    before = {directory: sys.path_importer_cache.get(directory) for directory in finders}
    sys.path_importer_cache.update(finders)
    try:
        yield
    finally:
        for directory, finder in before.items():
            if finder is None:
                sys.path_importer_cache.pop(directory, None)
            else:
                sys.path_importer_cache[directory] = finder


class Finder:
    """Finds what was read of a directory, and then what is there.

    Args:
        directory: the path.
        modules: by their names within the directory; packages end with `/`.
    """

    def __init__(self, directory: str, modules: Mapping[str, Read]) -> None:
        self._modules = modules
        self._others = FileFinder(
            directory,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (SourceFileLoader, SOURCE_SUFFIXES),
        )

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how a module is loaded; None: it is not here."""
        last = name.rpartition(".")[2]
        if (read := self._modules.get(last)) is not None:
            return spec_from_file_location(name, read.source, loader=Loader(name, read))
        if (read := self._modules.get(f"{last}/")) is not None:
            inside = [str(Path(read.source).parent)]
            loader = Loader(name, read)
            return spec_from_file_location(
                name, read.source, loader=loader, submodule_search_locations=inside
            )
        return self._others.find_spec(name, target)

    def invalidate_caches(self) -> None:
        """Let the directory be looked at again for what was not read."""
        self._others.invalidate_caches()


class Loader(SourceFileLoader):
    """Loads a module as ever, but asks no file for what was read. It keeps nothing of that."""

    def __init__(self, name: str, read: Read) -> None:
        super().__init__(name, read.source)
        self._read: Read | None = read

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Return what makes code out of date."""
        if self._read is None or path != self._read.source:
            return super().path_stats(path)
        return {"mtime": self._read.modified, "size": self._read.size}

    def get_data(self, path: str) -> bytes:
        """Return what a file holds."""
        read, self._read = self._read, None
        return super().get_data(path) if read is None or path == read.source else read.code


def _read() -> Mapping[str, Mapping[str, Read]]:
    """Return the modules of each directory; nothing if they are not to be had."""
    package = sys.modules[_PACKAGE]
    root = str(Path(str(package.__file__)).parent)
    is_plain = (
        _read_ahead is not None
        and type(package.__loader__) is SourceFileLoader
        and type(sys.path_importer_cache.get(root)) is FileFinder
        and sys.pycache_prefix is None
    )
    if not is_plain:
        return {}
    tag = str(sys.implementation.cache_tag)
    if sys.flags.optimize:
        tag += f".opt-{sys.flags.optimize}"
    found: defaultdict[str, dict[str, Read]] = defaultdict(dict)
    for values in _read_ahead.read_modules(root, tag, _NEVER_RECORDS):
        read = Read(*values)
        directory, _, name = read.source.removesuffix(".py").rpartition("/")
        if name == "__init__":
            directory, _, name = directory.rpartition("/")
            name += "/"
        found[directory][name] = read
    found.pop(str(Path(root).parent), None)  # the package itself, long imported
    return found
