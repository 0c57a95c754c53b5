"""A program that is killed again and again loses nothing of the incidents that it has written."""

from __future__ import annotations

import pytest

from tests.support.receivers.otlp_messages import Transport
from tests.torture.crashes import crash


@pytest.mark.timeout(120)
@pytest.mark.parametrize("transport", ["grpc", "http/protobuf"])
def test_nothing_of_a_written_incident_is_missing(transport: Transport) -> None:
    """All of it arrives, and what arrives twice is a request that was on its way at a kill."""
    found = crash(5, transport)

    assert found.faults == [], found
