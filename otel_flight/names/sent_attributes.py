"""The names of the attributes this package adds to what it sends.

Everything of ours is under `flight_recorder.`; what the semantic conventions name keeps that name.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "flight_recorder."
"""The names that are ours begin so."""

INCIDENT_ID: Final = "flight_recorder.incident.id"
INCIDENT_REASON: Final = "flight_recorder.incident.reason"
INCIDENT_SUBJECT: Final = "flight_recorder.incident.subject"
INCIDENT_ORIGIN: Final = "flight_recorder.incident.origin"
INCIDENT_TRIGGER: Final = "flight_recorder.incident.trigger"
INCIDENT_PREVIOUS: Final = "flight_recorder.incident.previous"
"""It is the incident before this one in the same process; what both windows hold went out with
that."""
INCIDENT_PROCESSES: Final = "flight_recorder.incident.processes"
"""It is the ids of the other processes of the service whose windows are in the incident."""

KIND: Final = "flight_recorder.kind"
"""It is on every span that the application did not make itself, so that dashboards can leave it
out."""
KIND_INCIDENT: Final = "incident"
KIND_LANE: Final = "lane"
KIND_INDEX: Final = "index"
KIND_EVENT: Final = "event"
"""It is an interval on the lane of a source of runtime events."""
KIND_PAUSE: Final = "pause"
"""It is a time in which the span above was stopped."""
KIND_INFERRED: Final = "inferred"
"""It is a function that the span above it was in, as stack samples show."""
KIND_FINISHED: Final = "finished"
"""It is the end of a span that an earlier incident sent while it was open: a child of that one."""

TRIGGER: Final = "flight_recorder.trigger"
"""It is on a span that fired, and names the trigger."""
IS_TRIGGER: Final = "flight_recorder.is_trigger"
"""It is on the entry of an index that stands for the span that fired."""
UNFINISHED: Final = "flight_recorder.unfinished"
CONVERTED_VALUES: Final = "flight_recorder.converted_values"
"""It says how many values of the span neither msgpack nor OTLP can hold, and are texts now."""
CUT_BYTES: Final = "flight_recorder.cut_bytes"
"""It says how many bytes of its strings a span lost to the record limit."""

CAUSE_REPEATS: Final = "flight_recorder.cause.repeats"
CAUSE_PREFIX: Final = "flight_recorder.cause."
FINDING_PREFIX: Final = "flight_recorder.finding."
LOST_PREFIX: Final = "flight_recorder.lost."
PROCESS_PREFIX: Final = "flight_recorder.process."
WINDOW_PREFIX: Final = "flight_recorder.window."

LARGE_TRACE: Final = "large trace"
"""It is the name of an event of the incident: a trace that a backend may not take as a whole."""

LINK: Final = "flight_recorder.link"
"""It is on a link, and says what the linked span is to this one, one of these."""
LINK_TRIGGER: Final = "trigger"
LINK_CAUSE: Final = "cause"
LINK_PREVIOUS: Final = "previous"
LINK_REQUEST: Final = "request"
LINK_CAUSED_BY: Final = "caused by"
LINK_INCIDENT: Final = "incident"

INFERRED: Final = "flight_recorder.inferred"
STACK: Final = "flight_recorder.stack"
"""It says where the program was, the innermost function first."""
EVENTS: Final = "flight_recorder.events"
"""It is on a lane, and says how many events its source has in the window, shown or not."""
EVENTS_ON_SPANS: Final = "flight_recorder.events.on_spans"
"""It is on a lane, and says how many of them are events of the spans they belong to, and not of the
lane."""
TRACE_ID: Final = "flight_recorder.trace_id"
SPAN_ID: Final = "flight_recorder.span_id"
TRACE_SPANS: Final = "flight_recorder.trace.spans"
"""It says how many spans of a trace are in the window."""
TRACE_BYTES: Final = "flight_recorder.trace.bytes"
"""It says about how many bytes they take as OTLP."""
REQUESTS: Final = "flight_recorder.requests"
"""It says how many local roots were in flight around the trigger, whether listed or not."""
REQUESTS_NOT_LISTED: Final = "flight_recorder.requests.not_listed"
"""It says how many of them are not listed, by their names, those of most first."""

PROCESS_ID: Final = "process.pid"
RUNTIME_VERSION: Final = "process.runtime.version"
RUNTIME_NAME: Final = "process.runtime.name"
HOST_NAME: Final = "host.name"
HOST_ID: Final = "host.id"
