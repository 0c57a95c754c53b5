"""Which spans incidents have delivered before they ended: when they end, they go out by another id.

The processes of a service that make incidents together know it together, by a file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import Final

from otel_flight.triggers.gate.shared_file import SharedFile

FILE_SUFFIX: Final = ".unfinished"
"""The name of the file is that by which the processes decide, with this end."""
_MOST: Final = 20_000
"""At most this many spans are remembered, and the oldest forgotten beyond that: if one of those is
in a later incident, it goes out under its own id a second time."""
_PATIENCE_SECONDS: Final = 0.2
_ID_BYTES: Final = 8


class SentUnfinished:
    """The ids of those spans. For the worker's thread.

    Args:
        gate_file: returns by which file the processes of the service decide; None: each by itself.
    """

    def __init__(self, gate_file: Callable[[], SharedFile | None]) -> None:
        self._gate_file = gate_file
        self._ids: dict[int, None] = {}

    def all(self) -> set[int]:
        """Return what is known."""
        self._exchange(())
        return set(self._ids)

    def add(self, span_ids: Iterable[int]) -> None:
        """Remember spans that an incident delivers."""
        self._exchange(span_ids)

    def _exchange(self, span_ids: Iterable[int]) -> None:
        added = dict.fromkeys(span_ids)
        gate_file = self._gate_file()
        if gate_file is None:
            self._remember(added)
            return
        try:
            with gate_file.beside(FILE_SUFFIX).held(_PATIENCE_SECONDS) as held:
                if held is not None:
                    data = held.read()
                    self._remember(array("Q", data[: len(data) // _ID_BYTES * _ID_BYTES]))
                self._remember(added)
                if held is not None and added:
                    held.write(array("Q", self._ids).tobytes())
        except OSError:  # its directory is gone, or full
            self._remember(added)

    def _remember(self, span_ids: Iterable[int]) -> None:
        self._ids.update(dict.fromkeys(span_ids))
        while len(self._ids) > _MOST:
            del self._ids[next(iter(self._ids))]
