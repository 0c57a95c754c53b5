"""`otel-flight inspect`: what is in a ring, of a process that lives or one that is dead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from opentelemetry.trace import format_span_id, format_trace_id
from rich.text import Text

from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.rings import RingListing, find_rings
from otel_flight.errors import NotARing
from otel_flight.ground.clock import wall_ns
from otel_flight.names.span_attributes import SERVICE_NAME
from otel_flight.records.decoder import decode_records
from otel_flight.records.ids import span_text, trace_text
from otel_flight.records.incident_records import STATE_WORDS, IncidentOpened, IncidentState
from otel_flight.records.records import (
    OpenSpan,
    Record,
    ResourceDefinition,
    RuntimeEvent,
    ScopeDefinition,
    Span,
    SpanStart,
    StackDefinition,
)
from otel_flight.report.terminal.page import Page
from otel_flight.ring.layout import LANE_NAMES, LANES, PAYLOAD_BYTES
from otel_flight.ring.reader import RingReader, Segment
from otel_flight.words import age, moment, one_line, short_duration, size


@click.command("inspect")
@click.argument("ring", metavar="[RING]", required=False)
@click.option("--segments", "has_segments", is_flag=True, help="List the segments.")
@click.option("--records", "has_records", is_flag=True, help="List the records, newest last.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="The most segments or records of each lane to list: the newest.",
)
@json_option
@directory_options
@pass_invocation
def inspect_ring(
    invocation: Invocation,
    *,
    ring: str | None,
    has_segments: bool,
    has_records: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Print what is in a ring, or which rings there are.

    RING is a ring's path or the process id of its owner. Without it, the rings on this host are
    listed. Reading stops nobody: the owner goes on recording.
    """
    page = Page(invocation.console)
    if ring is None:
        _list_rings(find_rings(invocation.ring_directories), invocation, page, as_json=as_json)
        return
    path = _path_of(ring, invocation)
    with RingReader(path) as reader:
        image = reader.image
        listing = RingListing(path, image.header(), reader.is_owner_alive())
        segments = [segment for lane in LANES for segment in image.segments(lane)]
    if as_json:
        print_json(_as_json(listing, segments, limit if has_records else 0))
        return
    _print_header(listing, segments, page)
    for lane in LANES:
        in_lane = [segment for segment in segments if segment.lane == lane]
        if not in_lane or not in_lane[-1].records:
            continue
        if has_segments:
            page.section(f"Segments of lane {LANE_NAMES[lane]}")
            _print_segments(in_lane[-limit:], page)
        if has_records:
            page.section(f"Records of lane {LANE_NAMES[lane]}")
            _print_records(in_lane, limit, page)


def _path_of(ring: str, invocation: Invocation) -> Path:
    if not ring.isdigit():
        return Path(ring)
    for listing in reversed(find_rings(invocation.ring_directories)):
        if listing.header.pid == int(ring):
            return listing.path
    problem = f"no process {ring} has one in {invocation.ring_directories[0]}"
    raise NotARing(ring, problem) from FileNotFoundError()


def _list_rings(
    rings: list[RingListing], invocation: Invocation, page: Page, *, as_json: bool
) -> None:
    if as_json:
        print_json([_listing_json(ring) for ring in rings])
    elif not rings:
        directories = " or ".join(map(str, invocation.ring_directories))
        click.echo(f"no rings in {directories}")
    else:
        header = ("pid", "state", "service", "size", "heartbeat", "ring")
        page.table(header, [_ring_row(ring) for ring in rings], flexible=2)


def _ring_row(ring: RingListing) -> list[Text | str]:
    ago = age(wall_ns() - ring.header.heartbeat_wall_ns)
    return [
        str(ring.header.pid),
        Text(ring.state, style="green" if ring.is_alive else "yellow"),
        one_line(ring.service, 40),
        size(ring.header.file_bytes),
        ago,
        str(ring.path),
    ]


def _print_header(ring: RingListing, segments: list[Segment], page: Page) -> None:
    header = ring.header
    page.verbatim(Text(str(ring.path), style="bold"))
    since = age(wall_ns() - header.heartbeat_wall_ns)
    facts: list[tuple[str, Text | str]] = [
        ("state", ring.state),
        ("service", one_line(ring.service, 200) or "(not known yet)"),
        ("process", f"pid {header.pid}"),
        ("created", moment(header.created_wall_ns)),
        ("heartbeat", f"{moment(header.heartbeat_wall_ns)}, {since}"),
        ("format", f"version {header.format_version}, {size(header.file_bytes)}"),
    ]
    known = {"service"}
    facts += [
        (one_line(key, 30), one_line(str(value), 200))
        for key, value in header.facts.items()
        if key not in known and value
    ]
    page.facts(facts)
    page.section("Lanes")
    columns = ("lane", "segments", "records", "bytes", "oldest", "evicted", "dropped", "delivered")
    page.table(columns, [_lane_row(ring, segments, lane) for lane in LANES], flexible=0)


def _lane_row(ring: RingListing, segments: list[Segment], lane: int) -> list[str]:
    header = ring.header.lanes[lane]
    held = [segment for segment in segments if segment.lane == lane]
    oldest = age(wall_ns() - held[0].opened_ns) if held else "–"
    return [
        LANE_NAMES[lane],
        f"{len(held)} of {header.segments}",
        str(sum(segment.records - segment.definitions for segment in held)),
        size(sum(len(segment.payload) for segment in held)),
        oldest,
        str(header.evicted_records),
        str(header.dropped_records),
        f"before {header.exported_to_record}" if header.exported_to_record else "nothing",
    ]


def _print_segments(segments: list[Segment], page: Page) -> None:
    rows = [
        [
            str(segment.sequence),
            str(segment.first_record),
            f"{segment.records} ({segment.definitions})",
            f"{len(segment.payload) / PAYLOAD_BYTES:.0%}",
            _time_of_day(segment.opened_ns),
            _time_of_day(segment.sealed_ns) if segment.sealed_ns else "open",
        ]
        for segment in segments
    ]
    header = ("sequence", "first", "records (definitions)", "full", "opened", "sealed")
    page.table(header, rows, flexible=2)


def _print_records(segments: list[Segment], limit: int, page: Page) -> None:
    rows: list[list[Text | str]] = []
    for segment, record, number in _newest(segments, limit):
        kind, name, trace_id, span_id, start_ns, duration = _record_words(record)
        rows.append(
            [
                str(segment.first_record + number),
                kind,
                _time_of_day(start_ns) if start_ns else "",
                duration,
                one_line(name, 120),
                span_id,
                trace_id,
            ]
        )
    header = ["number", "kind", "start", "duration", "name", "span", "trace"]
    if page.is_narrow:
        header, rows = header[:-1], [row[:-1] for row in rows]
    page.table(header, rows, flexible=4)


def _time_of_day(wall_ns: int) -> str:
    return moment(wall_ns)[11:-4]


def _newest(segments: list[Segment], limit: int) -> list[tuple[Segment, Record, int]]:
    found: list[tuple[Segment, Record, int]] = []
    for segment in reversed(segments):
        if len(found) >= limit:
            break
        records = decode_records(segment.payload, segment.records).records
        found[:0] = [(segment, record, number) for number, record in enumerate(records)]
    return found[-limit:]


def _record_words(record: Record) -> tuple[str, str, str, str, int, str]:
    """Return kind, name, trace id, span id, start and duration of a record."""
    if isinstance(record, ResourceDefinition):
        name = str(record.attributes.get(SERVICE_NAME, ""))
        return f"resource {record.number}", name, "", "", 0, ""
    if isinstance(record, ScopeDefinition):
        return f"scope {record.number}", record.name, "", "", 0, ""
    if isinstance(record, StackDefinition):
        innermost = record.frames[-1].function if record.frames else ""
        return f"stack {record.number}", innermost, "", "", 0, ""
    if isinstance(record, IncidentOpened):
        return "incident", record.incident_id, "", "", record.opened_ns, ""
    if isinstance(record, IncidentState):
        name = f"{record.incident_id} {STATE_WORDS.get(record.state, record.state)}"
        return "incident", name, "", "", record.time_ns, ""
    ids = trace_text(record.trace_id), span_text(record.span_id)
    if isinstance(record, RuntimeEvent):
        duration = short_duration(record.duration_ns) if record.duration_ns else ""
        return record.source, record.name, *ids, record.start_ns, duration
    if isinstance(record, SpanStart):
        kind = "start" if record.attributes is None else "still open"
        return kind, record.name, *ids, record.start_ns, ""
    duration = short_duration(record.end_ns - record.start_ns)
    kind = "open span" if isinstance(record, OpenSpan) else "span"
    return kind, record.name, *ids, record.start_ns, duration


def _listing_json(ring: RingListing) -> dict[str, Any]:
    return {
        "path": str(ring.path),
        "state": ring.state,
        "service": ring.service,
        "header": asdict(ring.header),
    }


def _as_json(ring: RingListing, segments: list[Segment], limit: int) -> dict[str, Any]:
    found = _listing_json(ring)
    found["segments"] = [
        {
            **{key: value for key, value in asdict(segment).items() if key != "payload"},
            "bytes": len(segment.payload),
        }
        for segment in segments
    ]
    if limit:
        found["records"] = [
            {"lane": LANE_NAMES[lane], **record}
            for lane in LANES
            for record in _records_json([each for each in segments if each.lane == lane], limit)
        ]
    return found


def _records_json(segments: list[Segment], limit: int) -> Iterator[dict[str, Any]]:
    for segment, record, number in _newest(segments, limit):
        fields = {name: getattr(record, name) for name in record.__struct_fields__}
        if isinstance(record, (Span, SpanStart, RuntimeEvent)):
            fields["trace_id"] = format_trace_id(record.trace_id)
            fields["span_id"] = format_span_id(record.span_id)
            del fields["trace_id_high"], fields["trace_id_low"]
        if isinstance(record, (Span, SpanStart)):
            fields["parent_span_id"] = format_span_id(record.parent_span_id)
        yield {
            "number": segment.first_record + number,
            "record": type(record).__name__,
            **fields,
        }
