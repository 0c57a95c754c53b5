"""Damages bytes: what a disk, a broken copy, or somebody with bad intentions does to a file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import strategies as st

ODD_BYTES: Final = (
    *(b"\x00", b"\xff", b"\x80", b"\x7f", b"\xc1", b"\x01"),
    b"\xcf" + b"\xff" * 8,  # the largest integer of msgpack
    b"\xd3\x80" + b"\x00" * 7,  # the smallest
    *(b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"),  # huge counts
    *(b"\x91" * 3000, b"[" * 3000, b'{"a":' * 3000),  # deep nesting
    *(b"9" * 400, b"-1", b"1e999", b"null", b'"x"', b"[]", b"{}", b"true", b"18446744073709551616"),
    b"\xff" * 64,
)
"""What has a meaning somewhere: in msgpack, in JSON, in words of a header."""


class Damage:
    """One change of some bytes.

    Args:
        where: anywhere from 0 to 1, of the length.
        put: the bytes that are there then.
        left_out: how many are not there any more; None: everything from there on.
    """

    def __init__(self, where: float, put: bytes, left_out: int | None) -> None:
        self.where = where
        self.put = put
        self.left_out = left_out

    def __repr__(self) -> str:
        return f"Damage({self.where}, {self.put[:20]!r}, {self.left_out})"

    def of(self, data: bytes) -> bytes:
        """Return damaged bytes."""
        at = int(self.where * len(data))
        end = len(data) if self.left_out is None else at + self.left_out
        return data[:at] + self.put + data[end:]


damages: Final = st.lists(
    st.builds(
        Damage,
        st.floats(0, 1),
        st.sampled_from(ODD_BYTES) | st.binary(max_size=9) | st.just(b""),
        st.sampled_from([0, 0, 1, 1, 1, 2, 8, 9, 100, None]),
    ),
    min_size=1,
    max_size=4,
)
"""A few changes, one after the other."""


def damaged(data: bytes, changes: Sequence[Damage]) -> bytes:
    """Return bytes with all these changes."""
    for change in changes:
        data = change.of(data)
    return data


def damaged_member(archive: bytes, member: int, damage: Callable[[bytes], bytes]) -> bytes:
    """Return a ZIP archive of which one member is damaged, but whole as an archive.

    Args:
        archive: its bytes.
        member: which one; any number is some member.
        damage: damages what is in it.
    """
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        names = old.namelist()
        for name in names:
            data = old.read(name)
            new.writestr(name, damage(data) if name == names[member % len(names)] else data)
    return target.getvalue()
