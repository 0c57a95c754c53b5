"""Reads members of a ZIP archive that may have been made to exhaust whoever reads it.

What does not work: `ZipFile.read`, which trusts neither the sizes nor bounds itself by them: two
megabytes of zeros become two gigabytes before it notices; and opening an archive whose directory
counts millions of members.
"""

from __future__ import annotations

import os
import struct
import zipfile
from typing import BinaryIO, Final

_END: Final = struct.Struct("<4s4H2LH")
"""An archive ends with a signature, two disks, two counts of members, the size of its directory and
where that is, and the length of a comment."""
_END_SIGNATURE: Final = b"PK\x05\x06"
_LOCATOR_BYTES: Final = 20
_LOCATOR_SIGNATURE: Final = b"PK\x06\x07"
"""It stands before the end of an archive whose sizes need 64 bits."""
_MOST_DIRECTORY_BYTES: Final = 4 * 1024 * 1024
"""The directory has at most this many bytes, three times those of the largest window."""
_MOST_RATIO: Final = 256
"""All members together are at most this many times the size of the file. Spans compress to a tenth,
hardly ever to a thirtieth."""
_LEAST_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""A small file may hold this much all the same."""
_MOST_BYTES: Final = 5 << 28
"""No file holds more than this: a quarter more than the largest window."""
_PLAIN: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1


class BoundedArchive:
    """An archive as `incidents.flight_file` writes it; memory and time are bounded by its size.

    Args:
        stream: its bytes; has to be seekable, and open as long as members are read.

    Raises:
        zipfile.BadZipFile: it is no such archive; what `zipfile` raises besides is anybody's guess.
    """

    def __init__(self, stream: BinaryIO) -> None:
        size = stream.seek(0, os.SEEK_END)
        _check_end(stream, size)
        self._archive = zipfile.ZipFile(stream)
        self._bytes_left = min(max(_LEAST_LIMIT_BYTES, _MOST_RATIO * size), _MOST_BYTES)

    def __contains__(self, name: object) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str, most_bytes: int | None = None) -> bytes:
        """Return a member, decompressed and checked.

        Args:
            name: of the member.
            most_bytes: how many it may have; None: as many as are left of those of all members.
        """
        member = self._archive.getinfo(name)
        if member.compress_type not in _PLAIN or member.flag_bits & _ENCRYPTED:
            raise zipfile.BadZipFile(f"{name} is encrypted, or compressed in a way of its own")
        size = member.file_size
        if size > (self._bytes_left if most_bytes is None else min(most_bytes, self._bytes_left)):
            raise zipfile.BadZipFile(f"{name} claims to have {size} bytes, which is too much")
        self._bytes_left -= size
        with self._archive.open(member) as stream:
            data = stream.read(size + 1)  # so many at most, whatever there is
        if len(data) != size:
            raise zipfile.BadZipFile(f"{name} has {len(data)} of {size} bytes")
        return data


def _check_end(stream: BinaryIO, size: int) -> None:
    stream.seek(max(0, size - _END.size - _LOCATOR_BYTES))
    last = stream.read(_LOCATOR_BYTES + _END.size)
    if len(last) < _END.size:
        raise zipfile.BadZipFile(f"it is no zip archive: {size} bytes are too few")
    signature, *_, directory_bytes, _, comment_bytes = _END.unpack(last[-_END.size :])
    if signature != _END_SIGNATURE or comment_bytes:
        raise zipfile.BadZipFile("it is no zip archive, or not all of one")
    if directory_bytes > _MOST_DIRECTORY_BYTES or last.startswith(_LOCATOR_SIGNATURE):
        raise zipfile.BadZipFile("the zip archive claims to have too many members")
