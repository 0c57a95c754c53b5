"""The `.flight` file: a ZIP archive that any tool opens, with the manifest first.

    manifest.json        what happened, what is covered, what was lost (incidents/manifest.py)
    spans/<n>.seg        payload of one ring segment of the span lane, n its sequence number
    runtime/<n>.seg      the same for the runtime lane
    open.seg             spans that were still open, with their definitions
    processes/<n>/       the same four of another process of the service, if there is any

A segment file is msgpack records one after another, as in the ring (ring/layout.py); how
many records it holds stands in the manifest.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from otel_flight.errors import DamagedIncident, FlightError, NewerIncident, NotAnIncident
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import whole_file
from otel_flight.incidents.archive import BoundedArchive
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import MANIFEST_VERSION, Manifest, SegmentEntry
from otel_flight.incidents.window import Window, WindowSegment
from otel_flight.ring.layout import LANE_NAMES, LANE_SPANS, LANES, PAYLOAD_BYTES
from otel_flight.ring.reader import Segment

FLIGHT_SUFFIX: Final = ".flight"
_MANIFEST: Final = "manifest.json"
OPEN_SPANS: Final = "open.seg"
_COMPRESSION_LEVEL: Final = 1
_PIECE_BYTES: Final = 4096
"""The check sum of up to 5 kB is computed without giving up the GIL."""
_MOST_MANIFEST_BYTES: Final = 16 * 1024 * 1024
"""A manifest has at most this many bytes; one with a larger one is damaged."""
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""A file is opened without blocking: if a pipe has its name, that would wait for a writer."""


def segment_entry(item: WindowSegment) -> SegmentEntry:
    """Return what the manifest says of a segment."""
    segment = item.segment
    return SegmentEntry(
        file=f"{LANE_NAMES[segment.lane]}/{segment.sequence:08d}.seg",
        lane=segment.lane,
        sequence=segment.sequence,
        opened_ns=segment.opened_ns,
        opened_monotonic_ns=segment.opened_monotonic_ns,
        sealed_ns=segment.sealed_ns,
        first_record=segment.first_record,
        records=segment.records,
        definitions=segment.definitions,
        outdated=item.outdated,
    )


def write_stream(
    incident: Incident, stream: BinaryIO, is_late: Callable[[], bool] | None = None
) -> None:
    """Write an incident to a binary stream, which need not be seekable.

    Args:
        incident: the incident.
        stream: where to.
        is_late: asked before each member of the archive whether there is no time to compress it;
            None: there is time. Else all is written at once: each compression and each write gives
            up the GIL, which takes long to come back where many threads are at work.
    """
    if is_late is None:
        _write_archive(incident, stream, lambda: False)
        return
    buffer = io.BytesIO()
    _write_archive(incident, buffer, is_late)
    stream.write(buffer.getbuffer())


def _write_archive(incident: Incident, stream: BinaryIO, is_late: Callable[[], bool]) -> None:
    with zipfile.ZipFile(
        stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL
    ) as archive:
        _write_window(archive, incident, is_late)
        for other in incident.others:
            _write_window(archive, other, is_late)


def _write_window(
    archive: zipfile.ZipFile, incident: Incident, is_late: Callable[[], bool]
) -> None:
    members = [(segment_entry(item).file, item.segment) for item in incident.window.segments]
    if incident.window.open_spans is not None:
        members.append((OPEN_SPANS, incident.window.open_spans))
    manifest = msgspec.json.format(msgspec.json.encode(incident.manifest), indent=1)
    for name, data in [(_MANIFEST, manifest), *((each[0], each[1].payload) for each in members)]:
        if is_late():
            _store(archive, incident.folder + name, data)
        else:
            archive.writestr(incident.folder + name, data)


def _store(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a member as it is, in pieces so small that nothing gives up the GIL."""
    with archive.open(zipfile.ZipInfo(name), "w") as member:
        for start in range(0, len(data), _PIECE_BYTES):
            member.write(data[start : start + _PIECE_BYTES])


def write_file(incident: Incident, path: Path) -> None:
    """Write an incident to `path`, which has either its old or its whole new content at any time.

    Raises:
        OSError: it could not be written; no temporary file is left behind.
    """
    with whole_file(path, is_synced=True) as stream:
        write_stream(incident, stream)


def write_to(incident: Incident, target: str | os.PathLike[str] | BinaryIO) -> None:
    """Write an incident to a path, as `write_file`, or to a stream, as `write_stream`.

    Raises:
        OSError: it could not be written.
    """
    if isinstance(target, (str, os.PathLike)):
        write_file(incident, Path(target))
    else:
        write_stream(incident, target)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a `.flight` file.

    Raises:
        DamagedIncident: its bytes are not those of an incident.
        NotAnIncident: it cannot be opened, or was written by a newer version.
    """
    with _opened(path) as stream, _reading(path):
        return _manifest(BoundedArchive(stream), path)


def read_incident(path: Path) -> Incident:
    """Return the incident of a `.flight` file.

    Raises:
        DamagedIncident: its bytes are not those of an incident.
        NotAnIncident: it cannot be opened, or was written by a newer version.
    """
    with _opened(path) as stream:
        incident = _incident(stream, path)
    return replace(incident, others=_OtherWindows(path, incident.manifest))


def read_incident_bytes(data: bytes, path: Path) -> Incident:
    """Return an incident whose file could not be written to a path; raises the same."""
    return _incident(io.BytesIO(data), path)


class _OtherWindows:
    """The windows of other processes in a file, each read when it is its turn.

    One that is not there was gone before it could be written. Iterating raises what
    `read_incident` does.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        self._folders = [entry.folder for entry in manifest.processes]

    def __iter__(self) -> Iterator[Incident]:
        for folder in self._folders:
            with _opened(self._path) as stream:
                incident = _other(stream, self._path, folder)
            if incident is not None:
                yield incident


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = os.fdopen(posix.open(path, _OPEN_FLAGS), "rb")
    except (OSError, ValueError) as error:  # a name with a zero byte
        raise NotAnIncident(path, getattr(error, "strerror", None) or str(error)) from error
    with stream:
        if not stat.S_ISREG(posix.fstat(stream.fileno()).st_mode):
            raise NotAnIncident(path, "it is not a regular file")
        yield stream


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Make an error of ours of whatever the bytes of a file lead the decoders to."""
    try:
        yield
    except FlightError:
        raise
    except OSError as error:
        raise NotAnIncident(path, error.strerror or str(error)) from error
    # A dozen classes, that of a struct and of a stack that is too deep among them.
    except Exception as error:
        raise DamagedIncident(path, str(error) or type(error).__name__) from error


def _other(stream: BinaryIO, path: Path, folder: str) -> Incident | None:
    with _reading(path):
        is_there = folder + _MANIFEST in BoundedArchive(stream)
    return _incident(stream, path, folder) if is_there else None


def _incident(stream: BinaryIO, path: Path, folder: str = "") -> Incident:
    with _reading(path):
        archive = BoundedArchive(stream)
        manifest = _manifest(archive, path, folder)
        segments = [
            WindowSegment(
                _segment(entry, archive.read(folder + entry.file, PAYLOAD_BYTES)), entry.outdated
            )
            for entry in manifest.segments
            if entry.lane in LANES
        ]
        open_spans = None
        if manifest.open_spans_file:
            entry = SegmentEntry(
                file=manifest.open_spans_file,
                lane=LANE_SPANS,
                sequence=0,
                opened_ns=0,
                opened_monotonic_ns=0,
                sealed_ns=0,
                first_record=0,
                records=manifest.open_spans_records,
                definitions=0,
            )
            open_spans = _segment(entry, archive.read(folder + entry.file))
        return Incident(manifest, Window(segments, open_spans), path, folder)


def _manifest(archive: BoundedArchive, path: Path, folder: str = "") -> Manifest:
    data = archive.read(folder + _MANIFEST, _MOST_MANIFEST_BYTES)
    version = msgspec.json.decode(data, type=_Version).format_version
    if version > MANIFEST_VERSION:
        raise NewerIncident(path, f"version {version} of the format, {MANIFEST_VERSION} is known")
    return msgspec.json.decode(data, type=Manifest)


class _Version(msgspec.Struct):
    format_version: int = 0


def _segment(entry: SegmentEntry, payload: bytes) -> Segment:
    return Segment(
        lane=entry.lane,
        sequence=entry.sequence,
        opened_ns=entry.opened_ns,
        opened_monotonic_ns=entry.opened_monotonic_ns,
        sealed_ns=entry.sealed_ns,
        first_record=entry.first_record,
        records=entry.records,
        definitions=entry.definitions,
        payload=payload,
    )
