"""Makes the environments that suites run in, and fetches their sdists; both are kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.suites.catalogue import Suite
from tests.suites.folders import ENVIRONMENTS, INSIDE, REPOSITORY, SDISTS, WHEELS

_PTH: Final = "flight_suite.pth"
_PYTEST: Final = "pytest==9.1.1"
"""Runs the suites that name no other version of it."""


class PreparationError(RuntimeError):
    """What a suite needs could not be made or fetched; the text is what pip said."""


def prepare_environment(suites: Sequence[Suite], python: Path, version: str) -> Path:
    """Return the Python of the environment that these suites share, up to date.

    Args:
        suites: all that name this environment, so that it does not depend on which of them run.
        python: what it is made with.
        version: of that Python, such as `3.12`.

    Raises:
        PreparationError: pip failed.
    """
    folder = ENVIRONMENTS / f"{suites[0].environment}-{version}"
    program = folder / "bin" / "python"
    wheel = build_wheel(python, version)
    wanted = _requirements(suites)
    stamp = folder / "stamp.json"
    made = json.loads(stamp.read_text()) if stamp.exists() else {}
    if made.get("wanted") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _run(python, "-m", "venv", "--upgrade-deps", str(folder))
        _pip(program, "install", str(wheel), *wanted)
    elif made.get("wheel") != wheel.parent.name:
        _pip(program, "install", "--no-deps", "--force-reinstall", str(wheel))
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / _PTH).write_text(f"{INSIDE}\nimport flight_suite_process\n")
    stamp.write_text(json.dumps({"wanted": wanted, "wheel": wheel.parent.name}))
    return program


def build_wheel(python: Path, version: str) -> Path:
    """Return a wheel of the package as it is now; the last one, while nothing was changed."""
    folder = WHEELS / version / _fingerprint()
    for wheel in folder.glob("*.whl"):
        return wheel
    shutil.rmtree(folder.parent, ignore_errors=True)
    builder = ENVIRONMENTS / f"build-{version}"
    if not (builder / "bin" / "python").exists():
        _run(python, "-m", "venv", "--upgrade-deps", str(builder))
    _pip(builder / "bin" / "python", "wheel", "--no-deps", "-w", str(folder), str(REPOSITORY))
    return next(folder.glob("*.whl"))


def unpack_sdist(suite: Suite, python: Path, target: Path) -> Path:
    """Unpack a suite's sdist below `target`, fetched unless it is there; return its folder."""
    SDISTS.mkdir(parents=True, exist_ok=True)
    stem = f"{suite.project.lower().replace('-', '_')}-{suite.version}"
    archive = SDISTS / f"{stem}.tar.gz"
    if not archive.exists():
        requirement = f"{suite.project}=={suite.version}"
        # Nothing else as an sdist: pip asks the project for its name, for which it runs its build.
        _pip(
            python, "download", "--no-deps", "--no-binary", suite.project, "-d", SDISTS, requirement
        )
    with tarfile.open(archive) as file:
        if hasattr(tarfile, "data_filter"):
            file.extractall(target, filter="data")
        else:
            file.extractall(target)
    folder = target / stem
    for name in suite.remove:
        shutil.rmtree(folder / name)
    return folder


def _requirements(suites: Sequence[Suite]) -> list[str]:
    wanted = [f"{suite.project}=={suite.version}" for suite in suites if suite.project]
    wanted += [each for suite in suites for each in suite.requirements]
    if not any(each.startswith("pytest==") for each in wanted):
        wanted.append(_PYTEST)
    return list(dict.fromkeys(wanted))


def _fingerprint() -> str:
    """Return a hash over what a wheel is made of."""
    digest = hashlib.sha256()
    suffixes = ("py", "c", "h")
    files = [each for suffix in suffixes for each in REPOSITORY.glob(f"otel_flight/**/*.{suffix}")]
    for path in [REPOSITORY / "pyproject.toml", REPOSITORY / "hatch_build.py", *sorted(files)]:
        if path.name != "_version.py":
            digest.update(str(path.relative_to(REPOSITORY)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _pip(python: Path, *arguments: str | Path) -> None:
    command = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    _run(python, *command, *map(str, arguments))


def _run(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(python), *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise PreparationError(f"python {' '.join(arguments)} failed:\n{done.stdout[-3000:]}")
