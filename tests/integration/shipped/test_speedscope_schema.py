"""Stack samples in speedscope's form, checked by the schema that is in speedscope's package."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import run
from tests.support.incidents.incident_builder import IncidentBuilder, place

SPEEDSCOPE = "speedscope@1.25.0"
SCHEMA = "package/dist/release/file-format-schema.json"


@pytest.fixture
def schema(tmp_path: Path) -> Any:
    """The schema in speedscope's package, where npm can fetch that."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    command = [npm, "pack", "--silent", SPEEDSCOPE]
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer")
    packages = list(tmp_path.glob("speedscope-*.tgz"))
    if not packages:
        pytest.skip(f"npm cannot fetch {SPEEDSCOPE}: {done.stderr.decode()[:200]}")
    with tarfile.open(packages[0]) as package:
        member = package.extractfile(SCHEMA)
        assert member is not None
        return json.load(member)


def test_stack_samples_are_what_speedscope_reads(
    schema: Any, tmp_path: Path, own_environment: Path
) -> None:
    """A request's samples, a gap among them, those of a thread, and frames without code."""
    jsonschema = pytest.importorskip("jsonschema")
    with IncidentBuilder(own_environment) as builder:
        root = builder.open("GET /report", 0, kind=SpanKind.SERVER)
        stack = [place("main", "/app/main.py", 3), place("render", "/app/shop.py", 30)]
        later = [place("main", "/app/main.py", 3), place("send", "/app/shop.py", 50)]
        for moment, places in ((300, stack), (350, stack), (400, stack), (900, later)):
            builder.event("stacks", "running", moment, thread_id=7, span=root, places=places)
        lock = {"flight_recorder.wait.kind": "lock"}
        builder.event("stacks", "waiting", 700, thread_id=9, attributes=lock, places=stack)
        builder.end(root, 1600)
        incident = builder.incident(builder.slow(root, 1600), closed_ms=3600)
        Spool(tmp_path / "spool", 1 << 30, 10).add(incident)

    found = run("export", "last", "--speedscope", "-").json()

    jsonschema.validate(found, schema)
    assert [] in found["profiles"][0]["samples"]
    assert sum(found["profiles"][0]["weights"]) == found["profiles"][0]["endValue"]
