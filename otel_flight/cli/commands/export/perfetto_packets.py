"""Writes Perfetto's packets: tracks, and slices, instants and counters on them.

It needs Perfetto's own package, the extra `perfetto`, so only who writes such a file imports this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    CounterDescriptor,
    DebugAnnotation,
    Trace,
    TrackEvent,
)

_SEQUENCE: Final = 1
_MOST_INT: Final = (1 << 63) - 1
_INT32: Final = (1 << 31) - 1
_BYTES: Final = ".memory."
"""A counter with this in its name counts bytes."""


def number_of(*names: object) -> int:
    """Return a number of 63 bits for a track or a flow, the same for the same names."""
    text = "\0".join(map(str, names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1 or 1


class Packets:
    """The packets of one trace, in the order they are added."""

    def __init__(self) -> None:
        self._trace = Trace()
        self._tracks: set[int] = set()

    def serialize(self) -> bytes:
        """Return the trace as a file's content."""
        return bytes(self._trace.SerializeToString())

    def process(self, pid: int, name: str) -> int:
        """Add the track of a process; return its number."""
        track, descriptor = self._describe("process", pid, name)
        if descriptor is not None:
            descriptor.process.pid = min(pid, _INT32)
            descriptor.process.process_name = name
        return track

    def track(self, name: str, parent: int, key: object = "") -> int:
        """Add a track; return its number.

        Args:
            name: what it is called. Tracks of one parent and name are shown as one.
            parent: the number of the track above it.
            key: tells it from others of that name and parent.
        """
        track, descriptor = self._describe(name, parent, key)
        if descriptor is not None:
            descriptor.name = name
            descriptor.parent_uuid = parent
        return track

    def counter_track(self, name: str, parent: int) -> int:
        """Add a track that shows a number; return the track's number."""
        track, descriptor = self._describe("counter", parent, name)
        if descriptor is not None:
            descriptor.name = name
            descriptor.parent_uuid = parent
            is_size = _BYTES in name
            descriptor.counter.unit = (
                CounterDescriptor.UNIT_SIZE_BYTES if is_size else CounterDescriptor.UNIT_UNSPECIFIED
            )
        return track

    def begin(
        self,
        track: int,
        time_ns: int,
        name: str,
        category: str,
        attributes: Mapping[str, Any],
        *,
        flows: Sequence[int] = (),
        ended_flows: Sequence[int] = (),
    ) -> None:
        """Begin a slice; those of a track must be nested.

        Args:
            track: the number of its track.
            time_ns: when it began.
            name: what it is called.
            category: what kind of thing it is.
            attributes: what is known of it.
            flows: arrows that begin in it.
            ended_flows: arrows that end in it.
        """
        event = self._event(track, time_ns, TrackEvent.TYPE_SLICE_BEGIN)
        self._fill(event, name, category, attributes)
        event.flow_ids.extend(flows)
        event.terminating_flow_ids.extend(ended_flows)

    def end(self, track: int, time_ns: int) -> None:
        """End the slice of a track that began last."""
        self._event(track, time_ns, TrackEvent.TYPE_SLICE_END)

    def instant(
        self,
        track: int,
        time_ns: int,
        name: str,
        category: str,
        attributes: Mapping[str, Any],
    ) -> None:
        """Add a moment.

        Args:
            track: the number of its track.
            time_ns: when it was.
            name: what it is called.
            category: what kind of thing it is.
            attributes: what is known of it.
        """
        self._fill(self._event(track, time_ns, TrackEvent.TYPE_INSTANT), name, category, attributes)

    def count(self, track: int, time_ns: int, value: float) -> None:
        """Add a value of a counter."""
        self._event(track, time_ns, TrackEvent.TYPE_COUNTER).double_counter_value = value

    def _describe(self, *key: object) -> tuple[int, Any]:
        """Return the number of a track, and the descriptor to be filled in; None: it has one."""
        track = number_of(*key)
        if track in self._tracks:
            return track, None
        self._tracks.add(track)
        packet = self._trace.packet.add()
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.track_descriptor.uuid = track
        return track, packet.track_descriptor

    def _event(self, track: int, time_ns: int, kind: Any) -> Any:
        packet = self._trace.packet.add()
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.timestamp = max(0, time_ns)
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        return packet.track_event

    def _fill(self, event: Any, name: str, category: str, attributes: Mapping[str, Any]) -> None:
        event.name = name
        event.categories.append(category)
        for key, value in attributes.items():
            _annotate(event.debug_annotations.add(name=str(key)), value)


def _annotate(annotation: DebugAnnotation, value: Any) -> None:
    if isinstance(value, bool):
        annotation.bool_value = value
    elif isinstance(value, int) and abs(value) <= _MOST_INT:
        annotation.int_value = value
    elif isinstance(value, float):
        annotation.double_value = value
    elif isinstance(value, list | tuple):
        for item in value:
            _annotate(annotation.array_values.add(), item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _annotate(annotation.dict_entries.add(name=str(key)), item)
    else:
        annotation.string_value = str(value)
