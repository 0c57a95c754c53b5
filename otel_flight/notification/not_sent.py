"""What a channel says when it could not get rid of a notification."""

from __future__ import annotations


class NotSent(Exception):  # noqa: N818  (what became of it, as `OutOfTime`)
    """A notification was not taken.

    Attributes:
        is_final: whether another attempt would end in the same way.
    """

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final
