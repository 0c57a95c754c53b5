"""Write what the sources see into the runtime lane, and show it to the triggers that ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from otel_flight.ground.signal_errors import pass_on
from otel_flight.interpreter.code.places import Place
from otel_flight.recording.encoding.record_limit import REFUSED, encode_within
from otel_flight.recording.encoding.stack_table import StackTable
from otel_flight.records.layout import position
from otel_flight.records.records import RuntimeEvent
from otel_flight.redaction.redactor import Redactor
from otel_flight.ring.lane_writer import LaneWriter

EventHook = Callable[[RuntimeEvent], None]
"""This is called with each event on the thread that records it: it never raises, blocks or logs."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode
_ATTRIBUTES: Final = position(RuntimeEvent, "attributes")


class RuntimeEvents:
    """The runtime lane, as sources write it. Any thread; never waits.

    Not for garbage collection and signal handlers, which only leave what they saw in a bounded
    deque of their source: encoding allocates.

    Args:
        lane: where the events go.
        stacks: numbers the stacks that events refer to; the lane must define them.
        limit_bytes: how long a record may be.
        redactor: takes secrets out of events; None: they stay.

    Attributes:
        hooks: shown each event, without its secrets; replaced as a whole.
        cut_records: events that had strings cut, or lost their attributes.
    """

    def __init__(
        self,
        lane: LaneWriter,
        stacks: StackTable,
        limit_bytes: int,
        redactor: Redactor | None = None,
    ) -> None:
        self.hooks: tuple[EventHook, ...] = ()
        self.cut_records = 0
        self._append = lane.append
        self._stacks = stacks
        self._limit_bytes = limit_bytes
        self._redactor = redactor

    def record(self, event: RuntimeEvent, places: Sequence[Place] = ()) -> None:
        """Write an event.

        Args:
            event: what happened; its `stack` is set here.
            places: the stack that goes with it, outermost place first.
        """
        if places:
            event.stack = self._stacks.number_of(places)
        try:
            data: bytes = _encode(event)
        except REFUSED as error:
            pass_on(error)
            data = b""
        redactor = self._redactor
        is_suspected = redactor is not None and (not data or redactor.suspects(data))
        if redactor is not None and data and is_suspected:
            data = redactor.record(data)
        if not data or len(data) > self._limit_bytes:
            data = self._encode_carefully(event)
        if is_suspected:
            attributes = _decode(data)[_ATTRIBUTES]
            event = msgspec.structs.replace(event, attributes=attributes)
        self._append(data, event.stack)
        for hook in self.hooks:
            hook(event)

    def _encode_carefully(self, event: RuntimeEvent) -> bytes:
        data, _, was_cut = encode_within(event, self._limit_bytes, self._redactor)
        if len(data) > self._limit_bytes:
            without_attributes = msgspec.structs.replace(event, attributes={})
            data, _, _ = encode_within(without_attributes, self._limit_bytes, self._redactor)
            was_cut = True
        self.cut_records += was_cut
        return data
