"""A short day with one service; `make traffic` has whole days, with all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.instrumentation.grpc")

from tests.traffic.day import live
from tests.traffic.described.grpc_aio import GRPC


@pytest.mark.timeout(180)
def test_an_ordinary_day_is_quiet_and_each_fault_in_it_is_found(tmp_path: Path) -> None:
    """With the settings that the recorder has by default, from a cold start on."""
    day = live(GRPC, tmp_path, hours=4)

    assert (day.things, day.false, day.survived) == (104, [], 0)
    assert [title for title, is_found in day.found.items() if not is_found] == []
