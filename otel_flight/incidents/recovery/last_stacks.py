"""The stacks that a dying process could still write, as records of its window.

They stand in a segment of their own behind those of the ring, as if the process had sampled the
requests that its threads worked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from otel_flight.incidents.evidence.places import application_frames, described, named_frame
from otel_flight.incidents.window import WindowSegment
from otel_flight.interpreter.own_frames import is_ours
from otel_flight.interpreter.written_stacks import WrittenReport, WrittenThread, parse_stacks
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.records.records import RuntimeEvent, SpanStart, StackDefinition
from otel_flight.ring.layout import LANE_RUNTIME
from otel_flight.ring.reader import Segment
from otel_flight.ring.stacks_file import WrittenStacks

_MOST_THREADS: Final = 100
_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class LastStacks:
    """What the file beside the ring says.

    Attributes:
        seen_ns: when the process was last seen alive by it, by the wall clock; 0: it says nothing.
        reports: oldest first.
    """

    seen_ns: int = 0
    reports: Sequence[WrittenReport] = ()

    @classmethod
    def of(cls, written: WrittenStacks) -> LastStacks:
        """Read the file."""
        return cls(written.seen_ns, parse_stacks(written.text))

    @property
    def crash(self) -> WrittenReport | None:
        """What killed it, if it crashed."""
        last = self.reports[-1] if self.reports else None
        return last if last is not None and last.error else None

    def attributes(self) -> dict[str, Any]:
        """Return what a cause says of the crash, if it was one."""
        crash = self.crash
        if crash is None:
            return {}
        found: dict[str, Any] = {names.CRASH: crash.error}
        stack = crash.current.stack if crash.current is not None else ()
        if stack:
            frame = named_frame(stack, len(stack) - 1)
            found[names.FUNCTION], found[names.FILE] = frame.function, frame.file
            found[names.LINE] = frame.line
            own = application_frames(stack)
            if own and own[-1] != frame:
                found[names.CALLER] = described(own[-1])
            found[names.CRASH_DEPTH] = len(stack)
        return found

    def segment(
        self, roots: Iterable[SpanStart], window: Sequence[WindowSegment], died_ns: int
    ) -> WindowSegment | None:
        """Return the stacks as records, behind a window's; None when there are none.

        Args:
            roots: the requests that were open, oldest first.
            window: what the ring has.
            died_ns: when the process died, by the wall clock.
        """
        by_thread = {root.thread_id: root for root in roots}
        records: list[bytes] = []
        for report in self.reports[-1:]:
            threads = [each for each in report.threads if each.frames and not _is_own(each)]
            for number, thread in enumerate(threads[:_MOST_THREADS], start=1):
                root = by_thread.get(thread.thread_id)
                records.append(_encode(StackDefinition(number, thread.stack)))
                records.append(_encode(_event(thread, number, root, died_ns - 1)))
        if not records:
            return None
        before = [item.segment for item in window if item.segment.lane == LANE_RUNTIME]
        last = before[-1] if before else None
        return WindowSegment(
            Segment(
                lane=LANE_RUNTIME,
                sequence=1 if last is None else last.sequence + 1,
                opened_ns=died_ns,
                opened_monotonic_ns=0 if last is None else last.opened_monotonic_ns,
                sealed_ns=died_ns,
                first_record=0 if last is None else last.end_record,
                records=len(records),
                definitions=len(records) // 2,
                payload=b"".join(records),
            )
        )


def _is_own(thread: WrittenThread) -> bool:
    return is_ours(thread.frames[0].file) or is_ours(thread.frames[-1].file)


def _event(
    thread: WrittenThread, stack: int, root: SpanStart | None, moment_ns: int
) -> RuntimeEvent:
    return RuntimeEvent(
        source_names.STACKS,
        event_names.RUNNING,
        moment_ns,
        moment_ns,
        thread.thread_id,
        root.trace_id_high if root else 0,
        root.trace_id_low if root else 0,
        root.span_id if root else 0,
        {names.WITHOUT_GIL: True},
        stack,
    )
