"""The spans that are open when an incident closes, as one segment of its file."""

from __future__ import annotations

from otel_flight.recording.session import RecordingSession
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.ring.reader import Segment


def capture_open_spans(session: RecordingSession, now_ns: int) -> tuple[Segment | None, int]:
    """Return the open spans, encoded with the definitions they need, and how many they are.

    The spans go on being used by their threads meanwhile: each is seen as it was at one moment.
    """
    definitions: dict[int, bytes] = {}
    spans: list[bytes] = []
    for span in list(session.open_spans.spans.values()):
        data, scope = session.encoder.encode_open(span, now_ns)
        definition = session.scopes.definition(scope)
        if definition is not None:
            if definition.parent is not None:
                definitions[definition.parent.number] = definition.parent.record
            definitions[definition.number] = definition.record
        spans.append(data)
    if not spans:
        return None, 0
    segment = Segment(
        lane=LANE_SPANS,
        sequence=0,
        opened_ns=now_ns,
        opened_monotonic_ns=0,
        sealed_ns=now_ns,
        first_record=0,
        records=len(definitions) + len(spans),
        definitions=len(definitions),
        payload=b"".join([*definitions.values(), *spans]),
    )
    return segment, len(spans)
