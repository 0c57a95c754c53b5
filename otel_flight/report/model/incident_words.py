"""What an incident covers, lacks, and became of, in words: the same in every kind of report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_flight.incidents.evidence.places import place_in
from otel_flight.incidents.manifest import Cause, Coverage, Losses, Manifest, ProcessEntry, Refused
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import JSON_SUFFIX
from otel_flight.names import attributes as names
from otel_flight.names import exception_attributes, log_attributes, trigger_names
from otel_flight.words import count, one_line, short_duration, size

_LONGEST_VALUE: Final = 300
_LONGEST_EVIDENCE: Final = 1000
_MOST_LARGE_TRACES: Final = 5
_REFUSED_CAUSES: Final = 3
_OF_LOG: Final = (
    log_attributes.LOGGER,
    log_attributes.SEVERITY,
    log_attributes.LEVEL,
    log_attributes.MESSAGE,
    names.FUNCTION,
    names.FILE,
    names.LINE,
)


@dataclass(frozen=True)
class LargeTraceSize:
    """A trace that some backends do not take as a whole."""

    trace_id: str
    spans: int
    bytes: int
    """About how much it takes as OTLP."""


def cause_words(cause: Cause) -> list[str]:
    """Return what is known of a cause besides its title, an item each."""
    attributes: dict[str, Any] = dict(cause.attributes)
    words = []
    duration, limit = attributes.pop(names.DURATION, None), attributes.pop(names.LIMIT, None)
    if isinstance(duration, int) and isinstance(limit, int):
        verb = "open for" if cause.trigger == trigger_names.SLOW_OPEN_ROOT else "took"
        words.append(f"{verb} {short_duration(duration)}, its limit is {short_duration(limit)}")
    if isinstance(usual := attributes.pop(names.USUAL, None), int):
        words.append(f"99 % of those before took at most {short_duration(usual)}")
    if kind := attributes.pop(exception_attributes.TYPE, ""):
        message = attributes.pop(exception_attributes.MESSAGE, "")
        words.append(one_line(f"{kind}: {message}".strip(": "), _LONGEST_VALUE))
        attributes.pop(names.STATUS_DESCRIPTION, None)
    if log_attributes.LOGGER in attributes:
        words.append(_logged(attributes))
    words += [one_line(f"{key}={value}", _LONGEST_VALUE) for key, value in attributes.items()]
    if cause.repeats:
        words.append(f"{count(cause.repeats, 'more time')} while the incident was open")
    return words


def _logged(attributes: dict[str, Any]) -> str:
    """Return a log record in one line, and take it out of a cause's attributes."""
    where = place_in(attributes)
    said = {key: attributes.pop(key, "") for key in _OF_LOG}
    severity, logger = said[log_attributes.SEVERITY], said[log_attributes.LOGGER]
    line = f"{severity} {logger}: {said[log_attributes.MESSAGE]}"
    return one_line(f"{line}, in {where}" if where else line, _LONGEST_VALUE)


def evidence_words(key: str, value: Any) -> str:
    """Return a part of a finding's evidence as people read it."""
    is_duration = key.endswith("_ns") and isinstance(value, int)
    return short_duration(value) if is_duration else one_line(str(value), _LONGEST_EVIDENCE)


def refused_words(refused: Refused) -> str:
    """Return which firings were refused before an incident, in one sentence."""
    causes = ", ".join(one_line(title, 80) for title in list(refused.causes)[:_REFUSED_CAUSES])
    more = len(refused.causes) - _REFUSED_CAUSES
    return (
        f"{count(refused.firings, 'firing')} of {count(len(refused.causes), 'cause')} "
        f"{'was' if refused.firings == 1 else 'were'} refused since the incident before: {causes}"
        + (f" and {more} more" if more > 0 else "")
    )


def coverage_words(manifest: Manifest) -> str:
    """Return which time is there, and why not more."""
    coverage = manifest.coverage
    asked = short_duration(coverage.requested_seconds * 1e9)
    if not coverage.start_ns:
        return f"nothing of the {asked} asked for: the window is empty"
    before = short_duration(manifest.opened_ns - coverage.start_ns)
    after = short_duration(manifest.closed_ns - manifest.opened_ns)
    return f"{before} before the trigger{_shortfall(coverage, asked)}, and {after} after it"


def _shortfall(coverage: Coverage, asked: str) -> str:
    if not coverage.is_complete:
        return f" (of {asked} asked for: OTEL_FLIGHT_WINDOW_BYTES holds no more)"
    if coverage.start_ns > coverage.requested_start_ns:
        return f" (of {asked} asked for: recording had begun only then)"
    return ""


def loss_words(losses: Losses) -> list[str]:
    """Return what is missing and what was changed, an item each; nothing when all is there."""
    start = "since the process started"
    said = (
        (losses.evicted, "record", f"overwritten {start}: the window was full"),
        (losses.overtaken, "record", "overwritten while the window was copied"),
        (losses.dropped, "record", f"dropped {start}: too many came at once"),
        (losses.undecoded, "record", "unreadable"),
        (losses.cut, "record", f"shortened {start}: longer than OTEL_FLIGHT_RECORD_BYTES"),
        (losses.converted, "value", f"kept as text {start}: msgpack has no such type"),
        (losses.open_spans_evicted, "open span", f"given up {start}: too many were open"),
    )
    return [f"{count(number, noun)} {how}" for number, noun, how in said if number]


def large_trace_words(traces: Sequence[LargeTraceSize]) -> list[str]:
    """Return which traces a backend may have refused a part of, an item each."""
    words = [
        f"trace {each.trace_id}: {count(each.spans, 'span')} of about {size(each.bytes)}"
        for each in traces[:_MOST_LARGE_TRACES]
    ]
    if more := len(traces) - len(words):
        words.append(f"and {count(more, 'more trace')}")
    if words:
        words.append(
            "Tempo takes 5 MB of a trace, unless told otherwise, and drops the rest silently"
        )
    return words


def delivery_words(state: DeliveryState, item: str = "span") -> str:
    """Return how far the delivery of an incident is, or of what else of it a state is kept of."""
    where = f" to {state.endpoint}" if state.endpoint else ""
    if state.delivered and state.last_error:
        return f"kept in the spool only: {one_line(state.last_error, _LONGEST_VALUE)}"
    if state.delivered and is_copied(state):
        return "copied to OTLP-JSON, as no endpoint is configured"
    if state.delivered:
        return f"delivered{where}{reservations(state, item)}"
    words = f"{count(state.chunks, 'chunk')} delivered{where}, not all" if state.chunks else ""
    words = words or f"not delivered{where}"
    if state.attempts:
        words += f" after {count(state.attempts, 'attempt')}"
    return f"{words}: {one_line(state.last_error, _LONGEST_VALUE)}" if state.last_error else words


def short_delivery_words(state: DeliveryState, item: str = "span") -> str:
    """Return the same in a few words, for a list."""
    if not state.delivered:
        return "failing" if state.last_error else "waiting"
    if state.last_error:
        return "kept in the spool only"
    if is_copied(state):
        return "copied to OTLP-JSON"
    missing = state.undeliverable_spans
    return f"delivered without {count(missing, item)}" if missing else "delivered"


def log_delivery_words(state: DeliveryState | None) -> str:
    """Return how far the delivery of the log records is; None: they have no endpoint."""
    if state is None:
        return "not sent as OTLP logs: no endpoint for them is configured"
    return delivery_words(state, "log record")


def is_copied(state: DeliveryState) -> bool:
    """Whether an OTLP-JSON copy stands for the delivery."""
    return state.endpoint.endswith(JSON_SUFFIX)


def is_whole(state: DeliveryState) -> bool:
    """Whether everything was delivered."""
    return state.delivered and not state.undeliverable_spans


def reservations(state: DeliveryState, item: str = "span") -> str:
    """Return what has to be said of a delivery besides that it is over."""
    words = ""
    if state.undeliverable_spans:
        reason = one_line(state.undeliverable_reason, _LONGEST_VALUE) or "no reason given"
        words += f", without {count(state.undeliverable_spans, item)} it does not take: {reason}"
    if state.resent_chunks:
        words += f", {count(state.resent_chunks, 'request')} of it perhaps twice"
    return words


def other_processes_words(processes: Sequence[ProcessEntry]) -> str:
    """Return which other processes have a window in the incident, and how to see one."""
    pids = ", ".join(str(entry.pid) for entry in processes)
    others = count(len(processes), "other process", "other processes")
    return f"with the windows of {others}, which --process shows: {pids}"
