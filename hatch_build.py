"""Build what is in C into the wheel, where there is a C compiler; else it is pure Python.

`OTEL_FLIGHT_BUILD` says what is wanted:

- `auto`, the default: compile where that is possible, and warn where it is not;
- `compiled`: fail where it is not, for those who publish wheels and for continuous integration;
- `pure`: do not try.

`OTEL_FLIGHT_CFLAGS` holds more flags for the compiler and the linker, split as a shell does it:
`-Wall -Wextra -Werror`, or `-fsanitize=address`. Unlike `CFLAGS` it reaches no other package that
the same installation compiles.
"""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MODULES = (
    "otel_flight.running.ends._last_signal",
    "otel_flight.interpreter._frames",
    "otel_flight.interpreter._hang_watch",
    "otel_flight.interpreter._recursion",
    "otel_flight.recording.encoding._hot_path",
    "otel_flight.recording.light._current_span",
    "otel_flight.recording.light._light_span",
    "otel_flight.redaction._telltales",
    "otel_flight.running._read_ahead",
)
_FIRST_UNKNOWN = {"otel_flight.interpreter._frames": (3, 16)}
"""These know how the interpreter keeps its calls; from this version on they are left out."""
_MODES = ("auto", "compiled", "pure")


class CompiledModulesHook(BuildHookInterface[Any]):
    """Compile, and mark the wheel as made for this interpreter."""

    PLUGIN_NAME = "custom"
    _temporary: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the extension into the wheel, or beside its source for an editable installation.

        Raises:
            ValueError: `OTEL_FLIGHT_BUILD` is none of its values.
            Exception: it is `compiled`, and compiling failed.
        """
        wanted = os.environ.get("OTEL_FLIGHT_BUILD") or "auto"
        if wanted not in _MODES:
            raise ValueError(f"OTEL_FLIGHT_BUILD is {wanted!r}; use one of {', '.join(_MODES)}")
        if wanted == "pure":
            return
        for module in _MODULES:
            if sys.version_info >= _FIRST_UNKNOWN.get(module, (4,)):
                continue
            try:
                built = self._compiled(module, is_editable=version == "editable")
            except Exception as error:
                if wanted == "compiled":
                    raise
                reason = f"could not be compiled: {error}"
                self.app.display_warning(f"{module} is left out, as it {reason}")
                continue
            if version != "editable":
                build_data["force_include"][str(built)] = str(_source_of(module, built.name))
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: the wheel has it now."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def _compiled(self, module: str, *, is_editable: bool) -> Path:
        """Return where the extension is until `finalize`, or for good if it is editable."""
        if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
            raise RuntimeError("it is for CPython with the GIL")
        root = Path(self.root)
        # Not in the tree: a wheel may be built with other flags than what runs from there.
        self._temporary = self._temporary or tempfile.TemporaryDirectory()
        built = _compile(module, root / _source_of(module), Path(self._temporary.name))
        if not is_editable:
            return built
        target = root / _source_of(module, built.name)
        # Renamed into place: a running process keeps the file that it has mapped.
        unfinished = target.with_suffix(".unfinished")
        unfinished.write_bytes(built.read_bytes())
        unfinished.chmod(0o755)
        return unfinished.replace(target)


def _source_of(module: str, name: str = "") -> Path:
    """Return the source of an extension below the root, or another file beside it."""
    source = Path(*module.split(".")).with_suffix(".c")
    return source.with_name(name) if name else source


def _compile(module: str, source: Path, folder: Path) -> Path:
    """Return the path of the extension below `folder`."""
    # Here, and not above: it is only needed where something is compiled.
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    flags = shlex.split(os.environ.get("OTEL_FLIGHT_CFLAGS", ""))
    extension = Extension(
        module,
        [str(source)],
        extra_compile_args=["-O3", *flags],
        extra_link_args=flags,
        libraries=["rt"] if sys.platform == "linux" else [],  # timers, before glibc 2.34
    )
    command = build_ext(Distribution({"name": "otel-flight", "ext_modules": [extension]}))
    command.ensure_finalized()
    command.build_temp = command.build_lib = str(folder)
    command.run()
    return Path(command.get_ext_fullpath(module))
