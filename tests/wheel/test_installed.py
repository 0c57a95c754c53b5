"""The installed package is a whole one, and not the source tree beside it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePath

import pytest

import otel_flight
from otel_flight.recording.encoding.compiled import IS_AVAILABLE
from otel_flight.recording.light.compiled_span import COMPILED

PACKAGE = Path(otel_flight.__file__).parent
INSTALLED = Path(sysconfig.get_path("platlib"), "otel_flight")
IS_REQUIRED = os.environ.get("OTEL_FLIGHT_REQUIRE_WHEEL") == "1"

pytestmark = pytest.mark.skipif(
    PACKAGE != INSTALLED and not IS_REQUIRED,
    reason="the package is its source tree here; `make test-wheel` installs it",
)

_PAGE = (".html", ".css", ".js")
"""What the page of an incident is made of."""


@pytest.fixture
def installed() -> Distribution:
    """What the package index would say of the installed package."""
    return distribution("otel-flight")


def test_the_tests_run_against_the_installed_package() -> None:
    """Nothing beside the tests is imported in place of what was installed."""
    assert PACKAGE == INSTALLED


def test_the_hot_path_is_compiled() -> None:
    """A published wheel has the hot path and light spans in C, made for this interpreter."""
    assert IS_AVAILABLE
    assert COMPILED is not None


def test_it_knows_its_version(installed: Distribution) -> None:
    """What the code says is what was asked of the package index."""
    assert otel_flight.__version__ == installed.version


def test_it_holds_the_package_and_nothing_else(installed: Distribution) -> None:
    """Types are marked as complete; no tests, no C source and no build files are installed.

    Beside the package is what pytest loads, which imports nothing of it.
    """
    files = {PurePath(file) for file in installed.files or ()}
    own = {file for file in files if file.parts[0] == "otel_flight"}

    assert PurePath("otel_flight/py.typed") in own
    assert {file.suffix for file in own} <= {".py", ".pyc", ".so", ".typed", *_PAGE}
    others = {file.parts[0] for file in files - own if ".." not in file.parts}
    plugin = {"_otel_flight_pytest.py", "__pycache__"}
    assert others - plugin == {f"otel_flight-{installed.version}.dist-info"}


def test_what_it_offers_other_programs_is_there(installed: Distribution) -> None:
    """Each entry point names something that can be imported."""
    entry_points = installed.entry_points

    assert {point.name for point in entry_points} == {"otel_flight", "otel-flight"}
    assert all(point.load() for point in entry_points)


def test_the_command_runs() -> None:
    """The script that the installation made lists incidents, of which there are none."""
    command = Path(sysconfig.get_path("scripts"), "otel-flight")

    listed = subprocess.run([command, "list"], capture_output=True, text=True, check=False)

    assert (listed.returncode, listed.stderr) == (0, "")
