"""What an assistant may ask, and the answers: bounded, and what was recorded in fences.

The docstrings are what it reads of a tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final

from otel_flight.assembly import ASSEMBLY
from otel_flight.cli.base import Invocation
from otel_flight.cli.commands.mcp.items import (
    MOST_ITEMS,
    MOST_TOKENS,
    answer,
    event_of,
    span_of,
    summary_of,
    times,
)
from otel_flight.ground.guard import Guard
from otel_flight.incidents.evidence.usual.good_requests import compare
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import examined
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import log_attributes, source_names
from otel_flight.records.ids import trace_text
from otel_flight.report.markdown.markdown import USUAL_TOKENS, markdown
from otel_flight.report.model.incident_report import build_report

_NS_PER_MS: Final = 1_000_000


class Answers:
    """Answers questions about incidents, each from the files as they are then.

    Args:
        overrides: the settings that options of the command line gave.
    """

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        self._overrides = overrides

    def list_incidents(self, limit: int = 20) -> str:
        """List the incidents there are, newest first: id, when, what, service, first finding."""
        invocation = Invocation(dict(self._overrides))
        entries = invocation.all_entries()[::-1]
        return answer((summary_of(invocation, entry) for entry in entries), limit)

    def explain(
        self, incident: str = "last", *, tokens: int = USUAL_TOKENS, process: int = 0
    ) -> str:
        """Explain one incident: what happened, findings, where the time went, trace, what else.

        Args:
            incident: its id, the beginning of it, or `last`.
            tokens: how long the answer may be; the most important is kept.
            process: the pid of another process of the service that the incident has a window of.
        """
        report = build_report(
            self._window(incident, process),
            ASSEMBLY.rulebook,
            max_rows=40,
            max_neighbours=8,
            max_events=10,
        )
        return markdown(report, None, max(200, min(tokens, MOST_TOKENS)))

    def spans(
        self,
        incident: str = "last",
        *,
        trace_id: str = "",
        name: str = "",
        limit: int = 100,
        process: int = 0,
    ) -> str:
        """Return spans with all their attributes and events, by start.

        Args:
            incident: its id, the beginning of it, or `last`.
            trace_id: of this trace; empty for that of the trigger, `all` for every one.
            name: of those whose name contains this.
            limit: the most of them.
            process: the pid of another process of the service that the incident has a window of.
        """
        found = self._window(incident, process)
        wanted = trace_id or _trigger_trace(found)
        spans = (
            span
            for span in found.window.spans()
            if wanted in {"all", trace_text(span.record.trace_id)} and name in span.name
        )
        ordered = sorted(spans, key=lambda span: span.start_ns)
        return answer((span_of(span, found.manifest.fired_ns) for span in ordered), limit)

    def stacks(
        self, incident: str = "last", *, trace_id: str = "", limit: int = 50, process: int = 0
    ) -> str:
        """Return what slow requests were seen doing: sampled stacks, innermost function last.

        Args:
            incident: its id, the beginning of it, or `last`.
            trace_id: of this trace only.
            limit: the most samples.
            process: the pid of another process of the service that the incident has a window of.
        """
        return self._events(
            incident,
            process,
            limit,
            lambda event: (
                event.record.source == source_names.STACKS
                and trace_id in {"", trace_text(event.record.trace_id)}
            ),
        )

    def logs(
        self,
        incident: str = "last",
        *,
        trace_id: str = "",
        contains: str = "",
        limit: int = 100,
        process: int = 0,
    ) -> str:
        """Return log records, by time.

        Args:
            incident: its id, the beginning of it, or `last`.
            trace_id: of this trace only.
            contains: of those whose message contains this.
            limit: the most of them.
            process: the pid of another process of the service that the incident has a window of.
        """
        return self._events(
            incident,
            process,
            limit,
            lambda event: (
                event.record.source == source_names.LOGS
                and trace_id in {"", trace_text(event.record.trace_id)}
                and contains in str(event.record.attributes.get(log_attributes.MESSAGE, ""))
            ),
        )

    def contrast(self, incident: str = "last", *, process: int = 0) -> str:
        """Compare the bad requests with good ones of the same name: what only the bad ones have.

        Args:
            incident: its id, the beginning of it, or `last`.
            process: the pid of another process of the service that the incident has a window of.
        """
        compared = compare(ASSEMBLY.rulebook.evidence(self._window(incident, process)))
        if compared is None:
            return "There are too few good requests of the same name in the window to compare with."
        items = [{"requests": compared.name, "bad": compared.bad, "good": compared.good}]
        return answer(chain(items, (each._asdict() for each in compared.differences)), MOST_ITEMS)

    def window(
        self,
        incident: str = "last",
        *,
        start_ms: float = -1000,
        end_ms: float = 1000,
        source: str = "",
        limit: int = 100,
        process: int = 0,
    ) -> str:
        """Return what happened in a stretch of time: requests and runtime events, by start.

        Args:
            incident: its id, the beginning of it, or `last`.
            start_ms: from when on, in milliseconds after the trigger fired; negative: before.
            end_ms: until when.
            source: `requests`, or a source of events such as `gc`, `event_loop`, `process`;
                empty: all.
            limit: the most of them.
            process: the pid of another process of the service that the incident has a window of.
        """
        found = self._window(incident, process)
        fired_ns = found.manifest.fired_ns
        evidence = ASSEMBLY.rulebook.evidence(found)
        items: list[tuple[int, int, dict[str, Any]]] = []
        if source in {"", "requests"}:
            items += [
                (
                    root.start_ns,
                    root.end_ns,
                    {
                        **times(root.start_ns, root.end_ns, fired_ns),
                        "request": root.name,
                        "trace_id": trace_text(root.trace_id),
                        **({"error": True} if root.is_error else {}),
                        **({"unfinished": True} if root.is_open else {}),
                    },
                )
                for root in evidence.roots
            ]
        items += [
            (event.start_ns, event.end_ns, event_of(event, fired_ns))
            for each in evidence.sources
            if source in {"", each}
            for event in evidence.events(each)
        ]
        # As they are: neither infinity nor what is no number can be made an integer.
        first_ns, last_ns = fired_ns + start_ms * _NS_PER_MS, fired_ns + end_ms * _NS_PER_MS
        within = [item for item in items if item[0] <= last_ns and item[1] >= first_ns]
        within.sort(key=lambda item: item[0])
        return answer((item[2] for item in within), limit)

    def _events(
        self, name: str, process: int, limit: int, is_wanted: Callable[[WindowEvent], bool]
    ) -> str:
        found = self._window(name, process)
        events = sorted(filter(is_wanted, found.window.events()), key=lambda each: each.start_ns)
        return answer((event_of(event, found.manifest.fired_ns) for event in events), limit)

    def _window(self, name: str, process: int) -> Incident:
        """Return the window of one process of an incident; of the first one for 0."""
        invocation = Invocation(dict(self._overrides))
        whole = invocation.read(invocation.find_incident(name))
        for each in chain([whole], whole.others):
            if process in {0, each.manifest.process.get("pid")}:
                return examined(each, ASSEMBLY.rulebook, Guard())
        raise ValueError(f"incident {whole.manifest.incident_id} has no window of {process}")


def _trigger_trace(incident: Incident) -> str:
    trigger = incident.manifest.trigger
    return trigger.trace_id if trigger is not None and trigger.trace_id else "all"
