"""What real servers keep open for long, and which of it is slow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

for each in ("fastapi", "grpc"):
    pytest.importorskip(f"opentelemetry.instrumentation.{each}")
pytest.importorskip("websockets")

ROOT = Path(__file__).parents[3]
SLOW = {
    "GET /slow",
    "GET /report",
    "/coroutines/Get",
    "/threads/Get",
    "process",
    "named job",
}


@pytest.mark.parametrize("looked_at", ["open", "ended"])
def test_only_what_somebody_waits_for_is_slow(looked_at: str) -> None:
    """Not sockets, events, work after the answer, streams of gRPC, jobs, and waiting for work."""
    printed = subprocess.run(
        [sys.executable, "-m", "tests.integration.recording.programs.long_lived", looked_at],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    causes = [line.split("\t") for line in printed.splitlines()]
    assert {subject for _, subject, _ in causes} == SLOW
    trigger = "slow_open_root" if looked_at == "open" else "slow_root"
    assert {(name, repeats) for name, _, repeats in causes} == {(trigger, "0")}
