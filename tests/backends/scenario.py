"""What happened in the shop: the spans as its witness saw them, and the incidents it kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_messages import ReceivedSpan, spans_in, without_stamps

KIND = "flight_recorder.kind"
INCIDENT_ID = "flight_recorder.incident.id"
UNFINISHED = "flight_recorder.unfinished"
LINK = "flight_recorder.link"

_PROGRAM = "tests.backends.programs.shop"
_REPOSITORY = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Scenario:
    """One run of the shop.

    Attributes:
        service: its name.
        ended: its own spans that ended, as the SDK would have exported them.
        open: those that never did.
        incidents: the oldest first.
    """

    service: str
    ended: list[ReceivedSpan]
    open: list[ReceivedSpan]
    incidents: list[Incident]

    @property
    def trace_ids(self) -> list[str]:
        """The traces of the application's spans."""
        return sorted({item.span.trace_id.hex() for item in [*self.ended, *self.open]})


def run_scenario(what: str, folder: Path, environment: Mapping[str, str]) -> Scenario:
    """Run the shop to its end, which is when everything is delivered.

    Args:
        what: happens: see programs/shop.py.
        folder: for what is left behind; its name becomes part of the service's.
        environment: where it sends its incidents, and its other spans.
    """
    folder.mkdir(parents=True)
    service = f"shop-{what}"
    own = {"SHOP_NAME": service, "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool")}
    with ServiceProcess(
        ["-m", _PROGRAM, what, str(folder)],
        environment={**own, **environment},
        working_directory=_REPOSITORY,
    ) as process:
        assert process.wait(60.0) == 0, process.output()
    spool = Spool(folder / "spool", 1 << 30, 100)
    entries = spool.entries()
    assert all(entry.state.delivered for entry in entries), process.output()
    return Scenario(
        service,
        read_spans(folder / "ended.binpb"),
        read_spans(folder / "open.binpb"),
        [read_incident(entry.path) for entry in entries],
    )


def key(item: ReceivedSpan) -> tuple[str, str]:
    """Return trace id and span id in hexadecimal digits."""
    return item.span.trace_id.hex(), item.span.span_id.hex()


def attributes(item: ReceivedSpan) -> dict[str, Any]:
    """Return the attributes with a single value, as Python has them."""
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value")))
        for each in item.span.attributes
        if each.value.WhichOneof("value") is not None
    }


def service_of(item: ReceivedSpan) -> str:
    """Return the service that a span comes from."""
    return next(
        each.value.string_value for each in item.resource.attributes if each.key == "service.name"
    )


def application_spans(items: Iterable[ReceivedSpan]) -> list[ReceivedSpan]:
    """Return the spans that the application made itself."""
    return [item for item in items if KIND not in attributes(item)]


def of_kind(items: Iterable[ReceivedSpan], kind: str) -> list[ReceivedSpan]:
    """Return the spans that the recorder made itself for this purpose."""
    return [item for item in items if attributes(item).get(KIND) == kind]


def are_in_one_order(first: list[str], second: list[str]) -> bool:
    """Tell whether two lists have what both have in the same order."""
    return [each for each in first if each in second] == [each for each in second if each in first]


def unstamped(item: ReceivedSpan) -> Span:
    """Return a span without what the recorder adds to it, its attributes in order."""
    span = without_stamps(item.span)
    parts: list[Span | Span.Event | Span.Link] = [span, *span.events, *span.links]
    for part in parts:
        sorted_attributes = sorted(part.attributes, key=lambda each: each.key)
        del part.attributes[:]
        part.attributes.extend(sorted_attributes)
    return span


def read_spans(path: Path) -> list[ReceivedSpan]:
    """Return the spans of a file that a witness wrote."""
    return spans_in(ExportTraceServiceRequest.FromString(path.read_bytes()))
