"""Which Pythons there are to run suites with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
"""What the engine itself runs with."""


def find_interpreter(version: str) -> Path | None:
    """Return the program of a Python such as `3.12`: this one's, pyenv's, or that on the PATH."""
    if version == CURRENT:
        return Path(getattr(sys, "_base_executable", sys.executable))
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for program in sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True):
        return program
    found = shutil.which(f"python{version}")
    return Path(found) if found is not None and _runs(found) else None


def has_own_tests(program: Path, module: str) -> bool:
    """Return whether these of CPython's tests are installed; Debian leaves out all, pyenv some."""
    return _runs(program, f"import {module}")


def as_pair(version: str) -> tuple[int, int]:
    """Return a version such as `3.12` as numbers."""
    major, minor = version.split(".")
    return int(major), int(minor)


def _runs(program: str | Path, code: str = "") -> bool:
    # A shim of pyenv is found under a version's name, and fails when that version is not active.
    command = [str(program), "-c", code]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
