"""A program does the same whether or not a recorder looks at its stacks all the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_flight.interpreter.frames import IS_COMPILED
from otel_flight.interpreter.recursion import IS_GUARDED

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "programs" / "looked_at.py"

needs_monitoring = pytest.mark.skipif(
    sys.version_info < (3, 12) or not IS_GUARDED,
    reason="sys.monitoring is new in Python 3.12, and the source needs its C extension",
)
needs_own_gils = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="all interpreters have one GIL"
)
READERS = [
    pytest.param(
        "compiled",
        marks=pytest.mark.skipif(not IS_COMPILED, reason="the reader in C is not built here"),
    ),
    "pure",
]


def what_it_says(scenario: str, reader: str) -> object:
    """Run the program to its end."""
    finished = subprocess.run(
        [sys.executable, str(PROGRAM), scenario, reader],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=50,
    )
    assert finished.stderr == ""
    assert finished.returncode == 0, f"exit code {finished.returncode}; 3: nobody looked"
    return json.loads(finished.stdout)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("read_locals_of_caller", ["tea costs 3", "tea 3"]),
        ("be_profiled", [[[300, "tea"]], False]),
        ("end_objects", [0, ["serving"]]),
        ("lose_task", ["Task exception was never retrieved"]),
        pytest.param(
            "recurse", [["maximum recursion depth exceeded", "None"]] * 20, marks=needs_monitoring
        ),
        pytest.param("use_interpreters", "survived", marks=needs_own_gils),
    ],
)
def test_a_program_does_the_same_with_a_recorder(
    scenario: str, expected: object, reader: str
) -> None:
    """Its variables, its objects, its errors: as without one, and nothing is written."""
    assert what_it_says(scenario, "plain") == expected
    assert what_it_says(scenario, reader) == expected
