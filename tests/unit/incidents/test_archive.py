"""Archives made to exhaust whoever reads them: refused, with little memory and at once."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest

from otel_flight.incidents.archive import BoundedArchive

MIB = 1024 * 1024
NAME = "spans/1.seg"
SIZE_IN_DIRECTORY = 24
"""The uncompressed size of a member stands that many bytes after the beginning of its entry."""


def archive_of(data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytearray:
    """Return an archive with one member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr(NAME, data)
    return bytearray(stream.getvalue())


def with_claimed_size(archive: bytearray, size: int) -> bytearray:
    """Let the directory say something else of the only member's size."""
    struct.pack_into("<L", archive, archive.index(b"PK\x01\x02") + SIZE_IN_DIRECTORY, size)
    return archive


def read(archive: bytes | bytearray, most_bytes: int | None = None) -> bytes:
    """Read the only member."""
    return BoundedArchive(io.BytesIO(archive)).read(NAME, most_bytes)


def test_a_member_comes_back() -> None:
    """As it was written."""
    assert read(archive_of(b"records"), 7) == b"records"


@pytest.mark.parametrize("claimed", [80 * MIB, 1000], ids=["as it is", "as less"])
def test_a_bomb_does_not_go_off(claimed: int) -> None:
    """Whatever the archive says of its size, no more memory is taken than that allows."""
    bomb = with_claimed_size(archive_of(bytes(80 * MIB)), claimed)
    tracemalloc.start()

    with pytest.raises(zipfile.BadZipFile):
        read(bomb)

    assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    tracemalloc.stop()


def test_all_members_together_are_bounded() -> None:
    """A directory that names the same bytes again and again costs no more than one large one."""
    archive = BoundedArchive(io.BytesIO(archive_of(bytes(40 * MIB))))
    archive.read(NAME)

    with pytest.raises(zipfile.BadZipFile, match="too much"):
        archive.read(NAME)


def test_a_member_longer_than_it_may_be_is_refused() -> None:
    """A segment is never longer than one of a ring."""
    with pytest.raises(zipfile.BadZipFile, match="claims to have 8 bytes"):
        read(archive_of(b"too long"), 7)


def test_an_encrypted_member_is_refused() -> None:
    """Nobody is asked for a password."""
    archive = archive_of(b"records")
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(signature) + offset] |= 1

    with pytest.raises(zipfile.BadZipFile, match="encrypted"):
        read(archive)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(compression: int) -> None:
    """Those need up to gigabytes of memory for what their own headers say."""
    with pytest.raises(zipfile.BadZipFile, match="compressed in a way of its own"):
        read(archive_of(b"records", compression))


@pytest.mark.parametrize("change", ["directory", "zip64", "comment"])
def test_an_archive_with_another_end_is_refused(change: str) -> None:
    """Before its directory is read, which may claim to have millions of members."""
    archive = archive_of(b"records")
    end = archive.rindex(b"PK\x05\x06")
    if change == "directory":
        struct.pack_into("<L", archive, end + 12, 5 * MIB)
    elif change == "zip64":
        archive[end:end] = b"PK\x06\x07" + bytes(16)
    else:
        archive += b"comment"

    with pytest.raises(zipfile.BadZipFile):
        read(archive)
