"""`make backends` and what happens to the tests without it, with no build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.sources import BACKENDS

REPOSITORY = Path(__file__).parent.parent.parent


def run(arguments: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module with the backends expected in a folder and without Go."""
    environment = {**os.environ, "OTEL_FLIGHT_BACKENDS_DIR": str(folder), "PATH": "", **variables}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        check=False,
    )


def test_without_go_it_says_what_to_install(tmp_path: Path) -> None:
    """The message names Go and its version; nothing is left that looks like a program."""
    result = run(["tests.backends", "jaeger"], tmp_path)

    assert result.returncode == 1
    assert "install Go 1.25" in result.stdout
    assert not (tmp_path / "jaeger").exists()


def test_what_is_built_already_is_left_alone(tmp_path: Path) -> None:
    """Programs built from the sources as they are need nothing, not even Go."""
    for each in BACKENDS:
        (tmp_path / each.name).write_text("a program")
        (tmp_path / f"{each.name}.stamp").write_text(each.fingerprint())

    result = run(["tests.backends"], tmp_path)

    assert result.returncode == 0
    assert result.stdout.count("is built already") == len(BACKENDS)


def test_what_was_built_from_other_sources_is_built_again(tmp_path: Path) -> None:
    """A program whose stamp does not fit is as good as none."""
    (tmp_path / "jaeger").write_text("an older program")
    (tmp_path / "jaeger.stamp").write_text("of another go.mod")

    result = run(["tests.backends", "jaeger"], tmp_path)

    assert result.returncode == 1
    assert "built already" not in result.stdout


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    """A typing error is answered with what there is."""
    result = run(["tests.backends", "zipkin"], tmp_path)

    assert result.returncode == 2
    assert "zipkin" in result.stdout
    assert "collector, jaeger, tempo" in result.stdout


@pytest.mark.parametrize("is_required", [False, True])
def test_a_missing_backend(tmp_path: Path, is_required: bool) -> None:
    """Its tests skip and say what to do; where backends are required they fail and say the same."""
    tests = "tests/integration/backends/test_jaeger.py"
    required = {"OTEL_FLIGHT_REQUIRE_BACKENDS": "1" if is_required else ""}

    result = run(["pytest", "-p", "no:cacheprovider", tests], tmp_path, **required)

    assert result.returncode == (1 if is_required else 0), result.stdout
    assert "run `make backends` first" in result.stdout
    assert " passed" not in result.stdout
