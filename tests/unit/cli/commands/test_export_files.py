"""`otel-flight export` to files of other tools: Perfetto, speedscope, collapsed stacks."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind

from otel_flight.cli import command_line
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import ProcessEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.names import attributes as names
from otel_flight.records.ids import trace_text
from tests.support.incidents.command_line import SLOW_ID, fill_spool, run
from tests.support.incidents.incident_builder import IncidentBuilder, at, place
from tests.support.incidents.rich_incident import rich_incident

HEX_IDS = {"traceId", "spanId", "parentSpanId"}


def put(tmp_path: Path, incident: Incident) -> None:
    """Put an incident into the spool that the environment names."""
    Spool(tmp_path / "spool", 1 << 30, 10).add(incident)


@pytest.fixture
def rich(tmp_path: Path, own_environment: Path) -> Path:
    """A folder beside a spool with an incident that has everything."""
    put(tmp_path, rich_incident(own_environment))
    return tmp_path


@pytest.fixture
def sampled(tmp_path: Path, own_environment: Path) -> Path:
    """The same with a slow request of known samples: two running, one waiting for a lock."""
    with IncidentBuilder(own_environment) as builder:
        root = builder.open("GET /report; slow", 0, kind=SpanKind.SERVER)
        stack = [place("main", "/app/main.py", 3), place("render", "/app/shop.py", 30)]
        lock = {names.WAIT_KIND: "lock", names.WAIT_ON: "shop.cache"}
        for moment, name, attributes in (
            (300, "running", {}),
            (400, "running", {}),
            (500, "waiting", lock),
        ):
            builder.event(
                "stacks", name, moment, thread_id=7, span=root, attributes=attributes, places=stack
            )
        builder.event("stacks", "running", 450, thread_id=9, places=stack[:1])
        builder.end(root, 1600)
        put(tmp_path, builder.incident(builder.slow(root, 1600), closed_ms=3600))
    return tmp_path


@pytest.fixture
def read() -> Callable[[Path], Any]:
    """Return what reads a file as Perfetto's own message; skip where its package is missing."""
    messages = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    return lambda path: messages.Trace.FromString(path.read_bytes())


def test_collapsed_stacks_have_the_time_of_each_line(sampled: Path) -> None:
    """Each line is the service, the request and its frames, and how many microseconds."""
    file = sampled / "stacks.txt"

    outcome = run("export", "last", "--collapsed", str(file))

    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.endswith(f"written to {file}\n")
    ours = "shop;GET /report slow;main (/app/main.py:3);render (/app/shop.py:30)"
    assert file.read_text().splitlines() == [
        f"{ours} 200000",
        f"{ours};waiting: lock shop.cache 100000",
        "shop;thread 9;main (/app/main.py:3) 40000",
    ]


def test_speedscope_has_a_profile_for_each_request(sampled: Path) -> None:
    """The trigger's is the first; weights are nanoseconds, and frames are told once."""
    outcome = run("export", "last", "--speedscope", "-")

    assert outcome.exit_code == 0, outcome.output
    file = outcome.json()
    first, other = file["profiles"]
    assert first["name"].startswith("GET /report; slow ")
    assert first["weights"] == [100_000_000] * 3
    assert [frame["name"] for frame in file["shared"]["frames"]] == [
        "main",
        "render",
        "waiting: lock shop.cache",
    ]
    assert first["samples"] == [[0, 1], [0, 1], [0, 1, 2]]
    assert (other["name"], other["samples"]) == ("thread 9", [[0]])


def test_an_incident_without_samples_is_an_empty_file(
    tmp_path: Path, own_environment: Path
) -> None:
    """There is nothing to draw, and that is no failure."""
    fill_spool(tmp_path / "spool", own_environment)

    assert run("export", SLOW_ID, "--collapsed", "-").output == ""
    assert run("export", SLOW_ID, "--speedscope", "-").json()["profiles"] == []


def test_a_perfetto_trace_is_well_formed(rich: Path, read: Callable[[Path], Any]) -> None:
    """Every event is on a track that is told before, and the slices of a track are nested."""
    file = rich / "incident.pftrace"

    outcome = run("export", "last", "--perfetto", str(file))

    assert outcome.exit_code == 0, outcome.output
    trace = read(file)
    tracks: dict[int, Any] = {}
    open_slices: Counter[int] = Counter()
    reached_ns: dict[int, int] = defaultdict(int)
    for packet in trace.packet:
        if packet.HasField("track_descriptor"):
            described = packet.track_descriptor
            assert described.uuid not in tracks
            assert not described.parent_uuid or described.parent_uuid in tracks
            tracks[described.uuid] = described
            continue
        event = packet.track_event
        assert event.track_uuid in tracks
        if event.type in {event.TYPE_SLICE_BEGIN, event.TYPE_SLICE_END}:
            assert packet.timestamp >= reached_ns[event.track_uuid]
            reached_ns[event.track_uuid] = packet.timestamp
            open_slices[event.track_uuid] += 1 if event.type == event.TYPE_SLICE_BEGIN else -1
            assert open_slices[event.track_uuid] >= 0
    unfinished = sum(open_slices.values())
    assert unfinished == 1  # the span that was still open
    assert {"Incident", "Incident: GET /report", "Requests", "Threads"} <= {
        each.name for each in tracks.values()
    }


def slices(trace: Any) -> Mapping[str, Any]:
    """Return the slices of a trace by name; of several with one name, the last."""
    events = (packet.track_event for packet in trace.packet)
    return {event.name: event for event in events if event.type == event.TYPE_SLICE_BEGIN}


def test_flows_lead_to_children_on_other_tracks_and_from_links(
    tmp_path: Path, own_environment: Path, read: Callable[[Path], Any]
) -> None:
    """Children of one time have tracks of their own, and arrows say whose they are."""
    with IncidentBuilder(own_environment) as builder:
        sent = builder.request("POST /job", 0, 10)
        root = builder.open("work", 100)
        root.add_link(sent.get_span_context())
        builder.span("first", 110, 150, root, attributes={"n": 1, "names": ["a", "b"]})
        builder.span("second", 120, 160, root)
        builder.end(root, 200)
        put(tmp_path, builder.incident(builder.failed(root, 200), closed_ms=2200))
    file = tmp_path / "incident.pftrace"

    assert run("export", "last", "--perfetto", str(file)).exit_code == 0

    found = slices(read(file))
    job, work, first, second = (found[n] for n in ("POST /job", "work", "first", "second"))
    assert work.track_uuid == first.track_uuid != second.track_uuid
    assert list(job.flow_ids) == list(work.terminating_flow_ids)
    assert list(work.flow_ids) == list(second.terminating_flow_ids)
    assert not first.terminating_flow_ids
    assert len({*job.flow_ids, *work.flow_ids}) == 2
    noted = {each.name: each for each in first.debug_annotations}
    assert noted["n"].int_value == 1
    assert [each.string_value for each in noted["names"].array_values] == ["a", "b"]
    assert noted["trace_id"].string_value == trace_text(root.get_span_context().trace_id)


def test_samples_are_frames_below_frames_in_perfetto(
    sampled: Path, read: Callable[[Path], Any]
) -> None:
    """What follows each other and is the same is one slice, as long as its samples stand for."""
    file = sampled / "incident.pftrace"

    assert run("export", "last", "--perfetto", str(file)).exit_code == 0

    open_slices: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    found = []
    for packet in read(file).packet:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN and list(event.categories) == ["stacks"]:
            open_slices[event.track_uuid].append((event.name, packet.timestamp))
        elif event.type == event.TYPE_SLICE_END and open_slices[event.track_uuid]:
            depth = len(open_slices[event.track_uuid])
            name, start_ns = open_slices[event.track_uuid].pop()
            found.append((depth, name, (packet.timestamp - start_ns) / 1e6))
    assert not any(open_slices.values())
    assert sorted(found) == [
        (1, "main", 40),
        (1, "main", 300),
        (2, "render", 300),
        (3, "waiting: lock shop.cache", 100),
    ]


def test_numbers_are_counters_in_perfetto(
    tmp_path: Path, own_environment: Path, read: Callable[[Path], Any]
) -> None:
    """What a source measures is drawn as a curve, with its unit where that is bytes."""
    with IncidentBuilder(own_environment) as builder:
        for moment, size in ((0, 100.0), (1000, 300.0)):
            vitals = {"process.memory.usage": size}
            builder.event("process", "process vitals", moment, attributes=vitals)
        put(tmp_path, builder.incident(closed_ms=3600))
    file = tmp_path / "incident.pftrace"

    assert run("export", "last", "--perfetto", str(file)).exit_code == 0

    trace = read(file)
    counter = next(
        p.track_descriptor for p in trace.packet if p.track_descriptor.HasField("counter")
    )
    assert (counter.name, counter.counter.unit) == (
        "process.memory.usage",
        counter.counter.UNIT_SIZE_BYTES,
    )
    values = [
        (packet.timestamp, packet.track_event.double_counter_value)
        for packet in trace.packet
        if packet.track_event.track_uuid == counter.uuid
    ]
    assert values == [(at(0), 100.0), (at(1000), 300.0)]


def test_each_process_of_an_incident_has_its_tracks(
    tmp_path: Path, own_environment: Path, read: Callable[[Path], Any]
) -> None:
    """The windows of all workers are in one file."""
    incident = rich_incident(own_environment)
    manifest = incident.manifest
    other = msgspec.structs.replace(manifest, process={**manifest.process, "pid": 99})
    entries = [ProcessEntry(folder="processes/1/", pid=99)]
    whole = incident.with_manifest(msgspec.structs.replace(manifest, processes=entries))
    part = replace(incident.with_manifest(other), folder="processes/1/")
    put(tmp_path, replace(whole, others=[part]))
    file = tmp_path / "incident.pftrace"

    assert run("export", "last", "--perfetto", str(file)).exit_code == 0

    described = [packet.track_descriptor for packet in read(file).packet]
    processes = [each.process.pid for each in described if each.HasField("process")]
    assert processes == [4242, 99]


def test_such_a_file_holds_one_incident(tmp_path: Path, own_environment: Path) -> None:
    """Which one is to be said."""
    fill_spool(tmp_path / "spool", own_environment)

    outcome = run("export", "--all", "--speedscope", "x.json")

    assert outcome.exit_code == 2
    assert "a file of --speedscope holds one incident: name it" in outcome.output


def test_one_file_at_most_is_written_to_stdout(rich: Path) -> None:
    """They cannot be told apart there."""
    outcome = run("export", "last", "--speedscope", "-", "--otlp-json", "-")

    assert outcome.exit_code == 2
    assert "only one of these" in outcome.output


def test_files_are_written_beside_otlp_json(sampled: Path) -> None:
    """Several forms may be asked for at once."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    stacks, spans = sampled / "stacks.json", sampled / "spans.json"

    outcome = run("export", "last", "--speedscope", str(stacks), "--otlp-json", str(spans))

    assert outcome.exit_code == 0, outcome.output
    assert json.loads(stacks.read_text())["profiles"]
    assert json.loads(spans.read_text().splitlines()[0])["resourceSpans"]


def test_perfetto_is_imported_by_its_option_only() -> None:
    """Other commands start without it, and work where it is not installed."""
    assert "export" in command_line().commands
    code = (
        "import sys, otel_flight.cli; sys.exit(any(m.startswith('perfetto') for m in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_extra_is_named(rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not installed it reads which extra that is."""
    monkeypatch.setitem(sys.modules, "perfetto.protos.perfetto.trace.perfetto_trace_pb2", None)
    for module in ("perfetto_file", "perfetto_packets"):
        name = f"otel_flight.cli.commands.export.{module}"
        monkeypatch.delitem(sys.modules, name, raising=False)

    outcome = run("export", "last", "--perfetto", str(rich / "x"))

    assert outcome.exit_code == 2
    assert "otel-flight[perfetto]" in outcome.output


def test_otlp_json_is_what_otlp_says(rich: Path) -> None:
    """Each line is a request of OTLP: its messages know every field, and take its value."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    file = rich / "spans.json"

    assert run("export", "last", "--otlp-json", str(file)).exit_code == 0

    requests = [
        json_format.ParseDict(in_base64(json.loads(line)), ExportTraceServiceRequest())
        for line in file.read_text().splitlines()
    ]
    spans = [
        span
        for request in requests
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    assert {"GET /report", "GET /items", "hung"} <= {span.name for span in spans}
    assert {(len(span.trace_id), len(span.span_id)) for span in spans} == {(16, 8)}


def in_base64(value: Any) -> Any:
    """Return OTLP-JSON with its ids as protobuf's own JSON has them."""
    if isinstance(value, list):
        return [in_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: b64encode(bytes.fromhex(item)).decode() if key in HEX_IDS else in_base64(item)
        for key, item in value.items()
    }


def test_profiles_lead_to_their_spans(sampled: Path) -> None:
    """They are OTLP's message: tables with an empty first row, innermost frames first, links."""
    messages = pytest.importorskip("opentelemetry.proto.profiles.v1development.profiles_pb2")
    if not hasattr(messages.ProfilesDictionary, "STACK_TABLE_FIELD_NUMBER"):
        pytest.skip("profiles of an earlier development")
    file = sampled / "profiles.pb"

    outcome = run("export", "last", "--otlp-profiles", str(file))

    assert outcome.exit_code == 0, outcome.output
    data = messages.ProfilesData.FromString(file.read_bytes())
    tables = data.dictionary
    assert tables.string_table[0] == ""
    for table in ("mapping", "location", "function", "link", "attribute", "stack"):
        first = getattr(tables, f"{table}_table")[0]
        assert not first.ListFields()
    (of_resource,) = data.resource_profiles
    (profile,) = of_resource.scope_profiles[0].profiles
    assert {each.key: each.value.string_value for each in of_resource.resource.attributes}[
        "service.name"
    ] == "shop"
    assert tables.string_table[profile.sample_type.unit_strindex] == "nanoseconds"
    running, waiting, other = profile.samples
    assert list(running.values) == [100_000_000] * 2
    assert list(running.timestamps_unix_nano) == [at(300), at(400)]
    assert running.link_index == waiting.link_index
    link = tables.link_table[running.link_index]
    assert (len(link.trace_id), len(link.span_id)) == (16, 8)
    assert other.link_index == 0

    def functions(sample: Any) -> list[str]:
        places = tables.stack_table[sample.stack_index].location_indices
        lines = [tables.location_table[place].lines[0] for place in places]
        named = [tables.function_table[line.function_index] for line in lines]
        return [tables.string_table[function.name_strindex] for function in named]

    assert functions(waiting) == ["waiting: lock shop.cache", "render", "main"]
    noted = [tables.attribute_table[number] for number in waiting.attribute_indices]
    assert {tables.string_table[each.key_strindex] for each in noted} == {
        "thread.id",
        "flight_recorder.wait.kind",
    }


def test_profiles_of_an_old_package_are_refused(
    sampled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed then knows no profiles, or others."""
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.profiles.v1development", None)
    name = "otel_flight.delivery.profiles.otlp_profiles"
    monkeypatch.delitem(sys.modules, name, raising=False)

    outcome = run("export", "last", "--otlp-profiles", str(sampled / "x"))

    assert outcome.exit_code == 2
    assert "opentelemetry-proto is too old" in outcome.output
