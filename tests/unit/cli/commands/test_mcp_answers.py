"""What an assistant is answered, whatever it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.cli.commands.mcp.answers import Answers
from tests.support.incidents.command_line import FAILED_ID, fill_spool


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "is_any"),
    [
        (float("-inf"), float("inf"), True),
        (-1e300, 1e300, True),
        (1e300, -1e300, False),
        (float("nan"), 0.0, False),
    ],
)
def test_any_number_is_a_time(
    tmp_path: Path, own_environment: Path, start_ms: float, end_ms: float, is_any: bool
) -> None:
    """What lies between is answered, which may be nothing."""
    fill_spool(tmp_path / "spool", own_environment)

    answer = Answers({}).window(FAILED_ID, start_ms=start_ms, end_ms=end_ms)

    assert ("charge card" in answer) is is_any
