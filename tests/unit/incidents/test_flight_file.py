"""The file an incident is kept in."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otel_flight.errors import NewerIncident, NotAnIncident
from otel_flight.incidents.flight_file import (
    read_incident,
    read_manifest,
    write_file,
    write_stream,
)
from otel_flight.incidents.incident import Incident
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def incident(own_environment: Path) -> Incident:
    """Return an incident with two ended spans and an open one."""
    with IncidentBuilder(own_environment) as builder:
        root = builder.open("GET /a", 0)
        builder.span("query", 1, 5, root, attributes={"rows": 3})
        builder.request("GET /b", 0, 9)
        return builder.incident(builder.slow(root, 50), closed_ms=60)


def test_an_incident_comes_back_as_it_was_written(incident: Incident, tmp_path: Path) -> None:
    """Manifest, segments and open spans survive the file."""
    path = tmp_path / "a.flight"
    write_file(incident, path)

    found = read_incident(path)

    assert found.manifest == incident.manifest
    assert [span.record for span in found.window.spans()] == [
        span.record for span in incident.window.spans()
    ]
    assert sum(span.is_open for span in found.window.spans()) == 1
    assert read_manifest(path) == incident.manifest


def test_any_zip_tool_reads_the_manifest(incident: Incident) -> None:
    """The file is a ZIP archive whose first member is JSON, also when written to a stream."""
    stream = io.BytesIO()
    write_stream(incident, stream)

    with zipfile.ZipFile(stream) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "manifest.json"
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["incident_id"] == incident.manifest.incident_id


def test_a_stream_that_cannot_seek_is_enough(incident: Incident) -> None:
    """An incident can be written into a pipe or a socket."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(data)  # type: ignore[arg-type]

    pipe = Pipe()
    write_stream(incident, pipe)  # type: ignore[arg-type]

    assert zipfile.ZipFile(io.BytesIO(pipe.data)).testzip() is None


def test_a_failed_write_leaves_nothing_behind(incident: Incident, tmp_path: Path) -> None:
    """What could not be written whole is not there at all."""
    target = tmp_path / "taken"
    target.mkdir()

    with pytest.raises(OSError, match=r"."):
        write_file(incident, target)

    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "zip"),
        (b"not a zip file at all", "zip"),
        (None, "No such file"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    """A file that is no incident is named, with the reason."""
    path = tmp_path / "b.flight"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(NotAnIncident, match=why) as raised:
        read_incident(path)

    assert str(path) in str(raised.value)


def test_a_truncated_file_is_refused(incident: Incident, tmp_path: Path) -> None:
    """A copy that was cut short is not taken for an incident with fewer spans."""
    path = tmp_path / "c.flight"
    write_file(incident, path)
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(NotAnIncident):
        read_incident(path)


def test_a_newer_format_is_named(incident: Incident, tmp_path: Path) -> None:
    """A file of a later version says so instead of being misread."""
    newer = msgspec.structs.replace(incident.manifest, format_version=99)
    path = tmp_path / "d.flight"
    write_file(Incident(newer, incident.window), path)

    with pytest.raises(NewerIncident, match="a newer otel-flight: version 99 of"):
        read_manifest(path)


def test_an_incident_that_is_late_is_written_at_once(incident: Incident, tmp_path: Path) -> None:
    """And read as any: members for which there is no time any more are not compressed."""
    late = iter([False, *itertools.repeat(True, 100)])
    writes: list[bytes] = []

    class Stream(io.BytesIO):
        def write(self, data: Any) -> int:
            writes.append(bytes(data))
            return len(data)

    write_stream(incident, Stream(), lambda: next(late))

    (data,) = writes
    path = tmp_path / "late.flight"
    path.write_bytes(data)
    found = read_incident(path)
    assert found.manifest == incident.manifest
    assert len(list(found.window.spans())) == len(list(incident.window.spans()))
    with zipfile.ZipFile(path) as archive:
        kinds = {each.compress_type for each in archive.infolist()}
    assert kinds == {zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED}
