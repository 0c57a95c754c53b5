"""Forking servers: each process records for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool import Spool
from tests.support.service_process import ServiceProcess

SERVER = str(Path(__file__).parent / "programs" / "forking_server.py")


@pytest.mark.parametrize("how", ["hooks", "no-hooks"])
def test_parent_and_child_each_make_their_own_incident(
    tmp_path: Path, own_environment: Path, how: str
) -> None:
    """A child that was forked in the middle of recording loses and mixes up nothing.

    `no-hooks` forks behind Python's back, as uWSGI does: only the process id tells.
    """
    with ServiceProcess([SERVER, how]) as process:
        assert process.wait() == 0, process.output()
        output = process.output()

    assert "child: 1 ()" in output
    assert "child has its own ring: True" in output
    assert "parent: 1 () child exit 0" in output
    entries = Spool(tmp_path / "spool", 1 << 30, 100).entries()
    incidents = [read_incident(entry.path) for entry in entries]
    by_pid = {incident.manifest.process["pid"]: incident for incident in incidents}
    assert len(by_pid) == 2
    found = [
        {span.record.name.split()[0] for span in incident.window.spans()} - {"background"}
        for incident in by_pid.values()
    ]
    assert sorted(found, key=str) == [{"child"}, {"parent"}]
    assert list(own_environment.iterdir()) == []
