"""Modules that are imported from memory."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import py_compile
import subprocess
import sys
from importlib.machinery import FileFinder
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from otel_flight.running.read_ahead import Finder, Loader, Read, modules_in_memory

_TAG: Final = str(sys.implementation.cache_tag)
compiled = pytest.importorskip("otel_flight.running._read_ahead", reason="not built here")


def _write(path: Path, text: str) -> Read:
    """Write a module and compile it; return what is read of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    cached = Path(str(py_compile.compile(str(path), doraise=True)))
    status = path.stat()
    return Read(str(path), int(status.st_mtime), status.st_size, cached.read_bytes())


def _load(read: Read) -> ModuleType:
    name = Path(read.source).stem
    spec = Finder(str(Path(read.source).parent), {name: read}).find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _caches_beside_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only there they are read."""
    monkeypatch.setattr(sys, "pycache_prefix", None)


def test_all_modules_below_a_directory_are_read(tmp_path: Path) -> None:
    """With time and size of their sources; what is skipped, not compiled or no module is not."""
    expected = [
        _write(tmp_path / "__init__.py", ""),
        _write(tmp_path / "one.py", "ONE = 1"),
        _write(tmp_path / "inner" / "two.py", "TWO = 2"),
    ]
    _write(tmp_path / "left_out" / "three.py", "")
    _write(tmp_path / ".hidden" / "four.py", "")
    (tmp_path / "never_compiled.py").write_text("")
    (tmp_path / "data.txt").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "directory.py").mkdir()

    found = compiled.read_modules(str(tmp_path), _TAG, "left_out")

    assert sorted(Read(*each) for each in found) == sorted(expected)


def test_a_cache_that_is_no_file_is_left_out(tmp_path: Path) -> None:
    """A pipe would hold up whoever opens it."""
    read = _write(tmp_path / "one.py", "")
    cached = Path(importlib.util.cache_from_source(read.source))
    cached.unlink()
    os.mkfifo(cached)

    assert compiled.read_modules(str(tmp_path), _TAG, "") == []


def test_nothing_is_read_of_what_is_not_there(tmp_path: Path) -> None:
    """As of a directory that was removed, or one whose path is too long for the system."""
    assert compiled.read_modules(str(tmp_path / "gone"), _TAG, "") == []
    assert compiled.read_modules(str(tmp_path / ("long" * 2000)), _TAG, "") == []


def test_directories_below_eight_others_are_left_out(tmp_path: Path) -> None:
    """This bounds the stack that is used."""
    _write(tmp_path.joinpath(*"abcdefghij") / "deep.py", "")

    assert compiled.read_modules(str(tmp_path), _TAG, "") == []


def test_code_in_memory_is_run(tmp_path: Path) -> None:
    """The files may be gone meanwhile."""
    read = _write(tmp_path / "one.py", "ONE = 1")
    Path(importlib.util.cache_from_source(read.source)).unlink()
    Path(read.source).unlink()

    module = _load(read)

    assert module.ONE == 1
    assert module.__file__ == read.source
    assert module.__spec__ is not None
    assert module.__spec__.cached == importlib.util.cache_from_source(read.source)


def test_code_that_is_out_of_date_is_not_run(tmp_path: Path) -> None:
    """Its source was changed after it was compiled."""
    old = _write(tmp_path / "one.py", "ONE = 1")
    new = _write(tmp_path / "one.py", "ONE = 11111")

    assert _load(new._replace(code=old.code)).ONE == 11111


def test_damaged_code_is_not_run(tmp_path: Path) -> None:
    """The source is compiled then."""
    read = _write(tmp_path / "one.py", "ONE = 1")

    assert _load(read._replace(code=b"damaged")).ONE == 1


def test_a_loader_keeps_nothing_and_tells_the_source(tmp_path: Path) -> None:
    """It lives as long as its module."""
    read = _write(tmp_path / "one.py", "def one():\n    return 1\n")

    module = _load(read)

    assert isinstance(module.__loader__, Loader)
    assert read not in vars(module.__loader__).values()
    assert inspect.getsource(module.one) == "def one():\n    return 1\n"


def test_what_was_not_read_is_found_by_its_files(tmp_path: Path) -> None:
    """Extension modules, say, and modules that were never compiled."""
    (tmp_path / "plain.py").write_text("")
    finder = Finder(str(tmp_path), {})

    spec = finder.find_spec("package.plain")

    assert spec is not None
    assert spec.origin == str(tmp_path / "plain.py")
    assert finder.find_spec("package.missing") is None


def test_a_package_is_found(tmp_path: Path) -> None:
    """Modules within are looked for in its directory."""
    read = _write(tmp_path / "inner" / "__init__.py", "")

    spec = Finder(str(tmp_path), {"inner/": read}).find_spec("package.inner")

    assert spec is not None
    assert spec.submodule_search_locations == [str(tmp_path / "inner")]


def test_nothing_is_left_where_modules_are_found() -> None:
    """Elsewhere nothing is changed at all."""
    before, meta_path = dict(sys.path_importer_cache), list(sys.meta_path)

    with modules_in_memory():
        added = {
            directory: finder
            for directory, finder in sys.path_importer_cache.items()
            if before.get(directory) is not finder
        }
        assert sys.meta_path == meta_path

    assert sys.path_importer_cache == before
    root = str(Path(str(sys.modules["otel_flight"].__file__)).parent)
    assert all(Path(directory).is_relative_to(root) for directory in added)


_OPENS_NONE: Final = """
import sys, threading, time
from importlib.machinery import FileFinder
from opentelemetry.sdk.trace import TracerProvider
import otel_flight
from otel_flight.running import read_ahead

opened = []
def listen(event, arguments):
    if event == "open" and "otel_flight" in str(arguments[0]):
        opened.append(str(arguments[0]))

provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider)
tracer = provider.get_tracer("test")
sys.addaudithook(listen)
tracer.start_span("first").end()
provider.force_flush()
assert recorder.statistics().is_recording
print([each for each in opened if each.endswith((".py", ".pyc"))])
print(type(sys.modules["otel_flight.running.run"].__loader__) is read_ahead.Loader)
print({type(each) for each in sys.path_importer_cache.values()} <= {FileFinder, type(None)})
"""


def test_a_run_begins_without_a_file_of_a_module() -> None:
    """That is what takes long where threads compute."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    root = Path(__file__).parents[3]
    for _ in range(2):  # the first may have to compile them
        done = subprocess.run(
            [sys.executable, "-c", _OPENS_NONE],
            env=environment,
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

    opened, is_from_memory, has_left = done.stdout.splitlines()
    assert opened == "[]"
    assert is_from_memory == "True"
    assert has_left == "True"


def test_another_importer_of_the_package_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that checks types at run time, or a package in an archive."""
    package = sys.modules["otel_flight"]
    root = str(Path(str(package.__file__)).parent)
    other: object = type("Other", (FileFinder,), {})(root)
    monkeypatch.setitem(sys.path_importer_cache, root, other)
    before = dict(sys.path_importer_cache)

    with modules_in_memory():
        assert sys.path_importer_cache == before
