"""Build the hot path in C into the wheel, where there is a C compiler; else it is pure Python.

`OTEL_FLIGHT_BUILD=pure` does not try; `OTEL_FLIGHT_BUILD=compiled` fails where it cannot be built,
for those who publish wheels.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MODULE = "otel_flight.recording.encoding._hot_path"
_SOURCE = "otel_flight/recording/encoding/_hot_path.c"


class CompiledHotPathHook(BuildHookInterface[Any]):
    """Compile, and mark the wheel as made for this interpreter."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the extension beside its source, also for an editable installation."""
        wanted = os.environ.get("OTEL_FLIGHT_BUILD", "auto")
        is_free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        if wanted == "pure" or is_free_threaded or sys.implementation.name != "cpython":
            return
        try:
            built = _compile(Path(self.root))
        except Exception as error:
            if wanted == "compiled":
                raise
            self.app.display_warning(f"{_MODULE} is left out, as it could not be compiled: {error}")
            return
        build_data["artifacts"].append(f"/{built.as_posix()}")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _compile(root: Path) -> Path:
    """Return the path of the extension below `root`."""
    # Here, and not above: it is only needed where something is compiled.
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extension = Extension(_MODULE, [str(root / _SOURCE)], extra_compile_args=["-O3"])
    command = build_ext(Distribution({"name": "otel-flight", "ext_modules": [extension]}))
    command.ensure_finalized()
    with tempfile.TemporaryDirectory() as temporary:
        command.build_temp = temporary
        command.build_lib = temporary
        command.run()
        built = Path(command.get_ext_fullpath(_MODULE))
        target = Path(_SOURCE).with_name(built.name)
        # Renamed into place: a running process keeps the file that it has mapped.
        unfinished = root / target.with_suffix(".unfinished")
        unfinished.write_bytes(built.read_bytes())
        unfinished.chmod(0o755)
        unfinished.replace(root / target)
    return target
