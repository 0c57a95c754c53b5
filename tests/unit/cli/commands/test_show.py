"""`otel-flight show`: an incident by id, by its beginning, by `last`, or by its path."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from otel_flight.delivery.otlp.derived_ids import derived_trace_id
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX, SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool, run
from tests.support.incidents.incident_builder import START_NS, IncidentBuilder, place


@pytest.fixture
def slow(tmp_path: Path, own_environment: Path) -> SpoolEntry:
    """The older of two incidents in the spool, of a slow request."""
    return fill_spool(tmp_path / "spool", own_environment)[0]


@pytest.mark.parametrize("name", [SLOW_ID, SLOW_ID[:8], "path"])
def test_an_incident_is_found_by_any_name(slow: SpoolEntry, name: str) -> None:
    """The id, the beginning of it, and the file's path mean the same."""
    outcome = run("show", str(slow.path) if name == "path" else name)

    assert outcome.exit_code == 0
    assert outcome.output.startswith(f"Incident {SLOW_ID}  2026-01-01 10:00:02.100 UTC\n")
    assert "[1] `inventory` took 1.49s of the 1.6s of `GET /report` (93%)" in outcome.output
    assert "delivery  not delivered" in outcome.output


def test_last_is_the_newest(slow: SpoolEntry) -> None:
    """Whoever is called at night types `last`."""
    assert run("show", "last").output.startswith(f"Incident {FAILED_ID}")


def test_an_empty_name_is_no_incident(slow: SpoolEntry) -> None:
    """A script's variable that is not set would show any."""
    assert run("show", "").exit_code == 3


def test_a_file_outside_a_spool_has_no_delivery(slow: SpoolEntry, tmp_path: Path) -> None:
    """A file that was copied from elsewhere is shown, and nothing is said of its delivery."""
    elsewhere = tmp_path / "from-production.flight"
    shutil.copy(slow.path, elsewhere)

    outcome = run("show", str(elsewhere))

    assert outcome.exit_code == 0
    assert outcome.output.startswith(f"Incident {SLOW_ID}")
    assert "delivery" not in outcome.output.split("Window and delivery")[1]


def test_the_delivery_and_the_copy_are_shown(slow: SpoolEntry, tmp_path: Path) -> None:
    """Where the incident went, and where its OTLP-JSON copy is."""
    spool = Spool(tmp_path / "spool", 1 << 30, 10)
    spool.save_state(slow, DeliveryState(delivered=True, endpoint="http://collector:4317"))
    spool.json_path(slow).write_text("{}")

    output = run("show", SLOW_ID).output

    assert "delivery   delivered to http://collector:4317" in output
    assert f"OTLP-JSON  {spool.json_path(slow)}" in output


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DeliveryState(), "not delivered"),
        (DeliveryState(delivered=True, endpoint="http://l:4318"), "delivered to http://l:4318"),
        (
            DeliveryState(attempts=2, endpoint="http://l:4318", last_error="UNAUTHENTICATED"),
            "not delivered to http://l:4318 after 2 attempts: UNAUTHENTICATED",
        ),
        (
            DeliveryState(delivered=True, undeliverable_spans=2, undeliverable_reason="too old"),
            "delivered, without 2 log records it does not take: too old",
        ),
    ],
    ids=["waiting", "delivered", "failed", "in part"],
)
def test_the_delivery_of_the_log_records_is_shown(
    slow: SpoolEntry, monkeypatch: pytest.MonkeyPatch, state: DeliveryState, words: str
) -> None:
    """Beside that of the spans, which may stand otherwise."""
    monkeypatch.setenv("OTEL_FLIGHT_LOGS_ENDPOINT", "http://l:4318")
    Spool(slow.path.parent, 1 << 30, 10).of(LOGS_STATE_SUFFIX).save_state(slow, state)

    output = run("show", SLOW_ID).output
    found = run("show", SLOW_ID, "--json").json()

    assert "delivery  not delivered\n" in output
    assert f"logs      {words}\n" in output
    assert found["log_delivery"]["undeliverable_spans"] == state.undeliverable_spans
    assert found["log_delivery"]["last_error"] == state.last_error
    assert found["delivery"]["attempts"] == 0


def test_log_records_without_an_endpoint_are_not_sent_and_that_is_shown(slow: SpoolEntry) -> None:
    """Unless a service, whose settings are not those of the shell, has tried to deliver them."""
    off = run("show", SLOW_ID).output
    off_for_scripts = run("show", SLOW_ID, "--json").json()["log_delivery"]
    tried = DeliveryState(attempts=1, endpoint="http://l:4318", last_error="refused")
    Spool(slow.path.parent, 1 << 30, 10).of(LOGS_STATE_SUFFIX).save_state(slow, tried)

    output = run("show", SLOW_ID).output

    assert "logs      not sent as OTLP logs: no endpoint for them is configured\n" in off
    assert off_for_scripts is None
    assert "logs      not delivered to http://l:4318 after 1 attempt: refused\n" in output


def test_limits_can_be_set_and_lifted(slow: SpoolEntry) -> None:
    """Few rows by option, all of them by another."""
    few = run("show", SLOW_ID, "--rows", "1", "--requests", "2").output
    everything = run("show", SLOW_ID, "--all").output

    assert "… 1 more inventory" in few
    assert "… 13 more; in all 15 × GET /items" in few
    assert everything.split("Meanwhile")[1].count("GET /items") == 15


def test_other_events_are_shown_as_far_as_asked_for(tmp_path: Path, own_environment: Path) -> None:
    """Ten kinds by default, fewer or all by option."""
    with IncidentBuilder(own_environment) as builder:
        root = builder.request("GET /report", 0, 2000)
        for number in range(12):
            builder.event("exceptions", "unhandled exception", number, attributes={
                "exception.type": "ValueError", "exception.message": f"number {number}",
                "code.file.path": "/app/main.py", "code.line.number": number,
            })  # fmt: skip
        incident = builder.incident(builder.slow(root, 2000), closed_ms=3000)
    Spool(tmp_path / "spool", 1 << 30, 10).add(incident)

    usual = run("show", "last").output.split("What else happened: 12 events")[1]
    none = run("show", "last", "--events", "0").output.split("What else happened: 12 events")[1]
    everything = run("show", "last", "--all").output

    assert (usual.count("ValueError: number"), none.count("ValueError")) == (10, 0)
    assert "… 2 more" in usual
    assert "… 12 more" in none
    assert everything.count("ValueError: number") == 12


def test_json_has_every_event_and_explanation(tmp_path: Path, own_environment: Path) -> None:
    """A script gets each with its stack and attributes, however many are shown to people."""
    with IncidentBuilder(own_environment) as builder:
        root = builder.request("GET /report", 0, 2000)
        builder.event("gc", "gc pause", 500, 600, span=root, attributes={"generation": 2})
        builder.event(
            "exceptions", "unhandled exception", 700, places=[place("poll", "/app/poll.py", 9)]
        )
        incident = builder.incident(builder.slow(root, 2000), closed_ms=3000)
    Spool(tmp_path / "spool", 1 << 30, 10).add(incident)

    found = run("show", "last", "--json", "--events", "0").json()

    assert [event["name"] for event in found["events"]] == ["gc pause", "unhandled exception"]
    assert found["events"][0]["attributes"] == {"generation": 2}
    assert found["events"][0]["trace_id"] == incident.manifest.causes[0].trace_id
    assert found["events"][1]["stack"] == [{"function": "poll", "file": "/app/poll.py", "line": 9}]
    assert [each["name"] for each in found["explanations"]] == ["gc pause"]
    assert [row["kind"] for row in found["timeline"]["rows"]] == ["span", "pause"]


def test_json_has_manifest_findings_and_timeline(slow: SpoolEntry) -> None:
    """A script gets everything the report is made of, unlimited."""
    found = run("show", SLOW_ID, "--json").json()

    assert found["id"] == SLOW_ID
    assert found["manifest"]["causes"][0]["trigger"] == "slow_root"
    assert [finding["rule"] for finding in found["findings"]] == ["slow_child"]
    assert [row["name"] for row in found["timeline"]["rows"]] == ["GET /report", "inventory"]
    assert len(found["timeline"]["neighbours"]) == 15
    assert found["delivery"]["delivered"] is False


def test_links_are_printed_when_the_address_is_known(
    slow: SpoolEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By variable or by option, which wins; each link whole on a line, however long."""
    monkeypatch.setenv("OTEL_FLIGHT_JAEGER_URL", "http://jaeger.example:16686")
    monkeypatch.setenv("OTEL_FLIGHT_GRAFANA_URL", "http://grafana.example")

    output = run("show", SLOW_ID, "--grafana-url", "http://other.example").output

    links = output.split("In the backend")[1].splitlines()[1:]
    found = [line.split() for line in links]
    trace_id = read_incident(slow.path).manifest.causes[0].trace_id
    incident_trace = f"{derived_trace_id(SLOW_ID):032x}"
    assert found[0][:2] == ["Jaeger", "trigger"]
    assert found[0][2].startswith(f"http://jaeger.example:16686/trace/{trace_id}?")
    assert found[1][0] == "incident"
    assert found[1][1].startswith(f"http://jaeger.example:16686/trace/{incident_trace}?")
    assert [words[-2] for words in found[:6]] == ["trigger", "incident", "spans"] * 2
    assert all(words[-1].startswith("http://other.example/explore?") for words in found[3:6])
    assert found[6][:2] == ["TraceQL", "trigger"]
    assert f'trace:id = "{trace_id}"' in links[6]


def test_without_an_address_no_links_are_printed(slow: SpoolEntry) -> None:
    """Whoever has neither Jaeger nor Grafana is not bothered with them."""
    assert "In the backend" not in run("show", SLOW_ID).output


def test_an_address_that_is_none_is_refused(slow: SpoolEntry) -> None:
    """A mistake in an option is said, with what would be right."""
    outcome = run("show", SLOW_ID, "--jaeger-url", "jaeger:16686")

    assert outcome.exit_code == 2
    assert "jaeger_url cannot be 'jaeger:16686'" in outcome.output


def test_json_has_the_links(slow: SpoolEntry) -> None:
    """A script gets links of the addresses it names, and the queries in any case."""
    found = run("show", SLOW_ID, "--json", "--jaeger-url", "http://jaeger.example").json()["links"]

    assert list(found["jaeger"]) == ["trigger", "incident", "spans"]
    assert found["jaeger"]["spans"].startswith("http://jaeger.example/search?service=shop&")
    assert found["grafana"] == {}
    assert found["traceql"]["spans"] == f'{{ span.flight_recorder.incident.id = "{SLOW_ID}" }}'


def test_the_time_of_the_links_holds_every_span(slow: SpoolEntry) -> None:
    """The earliest request of the window started at 10:00:00, the incident closed 4.1 s later."""
    found = run("show", SLOW_ID, "--json", "--jaeger-url", "http://jaeger.example").json()["links"]

    query = dict(parse_qsl(urlsplit(found["jaeger"]["spans"]).query))
    start_us = START_NS // 1000
    assert int(query["start"]) == start_us - 1_000_000
    assert int(query["end"]) == start_us + 4_100_000 + 1_000_000


def test_a_trace_that_a_backend_may_refuse_is_named(tmp_path: Path, own_environment: Path) -> None:
    """Of a trace of several MB one learns its size and who would not take it; of others nothing."""
    with IncidentBuilder(own_environment, window_bytes=16 * 1024**2) as builder:
        root = builder.open("GET /export", 0)
        for number in range(150):
            builder.span("row", number, number + 1, root, attributes={"text": "x" * 40_000})
        builder.end(root, 2000)
        incident = builder.incident(builder.slow(root, 2000), closed_ms=2000)
        Spool(tmp_path / "spool", 1 << 30, 10).add(incident)

    output = run("show", "last").output
    found = run("show", "last", "--json").json()["large_traces"]

    (large,) = found
    trace_id = incident.manifest.causes[0].trace_id
    assert (large["trace_id"], large["spans"]) == (trace_id, 151)
    assert 6_000_000 < large["bytes"] < 6_100_000
    assert f"large     trace {trace_id}: 151 spans of about 5.8 MiB\n" in output
    assert "Tempo takes 5 MB of a trace, unless told otherwise" in " ".join(output.split())


def test_traces_of_usual_size_are_not_named(slow: SpoolEntry) -> None:
    """Nothing is said of limits that nothing comes near."""
    assert "large" not in run("show", SLOW_ID).output
    assert run("show", SLOW_ID, "--json").json()["large_traces"] == []


def test_markdown_is_printed_as_it_is_to_be_pasted(slow: SpoolEntry) -> None:
    """Without colours, and no longer than asked."""
    whole = run("show", SLOW_ID, "--format", "markdown")
    short = run("show", SLOW_ID, "--format", "markdown", "--tokens", "300")

    assert whole.exit_code == short.exit_code == 0
    assert whole.output.startswith(f"# Incident {SLOW_ID}\n")
    assert "## Findings\n\n```text\n[1] " in whole.output
    assert len(short.output) < len(whole.output)


def test_json_has_a_version(slow: SpoolEntry) -> None:
    """Both ways to ask for it are the same."""
    found = run("show", SLOW_ID, "--format", "json").json()

    assert found["version"] == 1
    assert found == run("show", SLOW_ID, "--json").json()
    assert sum(each["share"] for each in found["time"]) == pytest.approx(1, abs=0.05)


def test_too_few_tokens_are_refused(slow: SpoolEntry) -> None:
    """With the number that was given."""
    refused = run("show", SLOW_ID, "--format", "markdown", "--tokens", "3")

    assert refused.exit_code == 2
    assert "3 is not in the range x>=200" in refused.output


def test_a_page_is_written_for_its_owner_only(
    slow: SpoolEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the name that was given there is a usual one, after the incident's file."""
    monkeypatch.chdir(tmp_path)

    named, usual = run("show", SLOW_ID, "--html", "page.html"), run("show", SLOW_ID, "--html")

    assert (named.exit_code, named.output) == (0, f"{tmp_path / 'page.html'}\n")
    assert usual.output == f"{tmp_path / f'{slow.path.stem}.html'}\n"
    assert (tmp_path / "page.html").read_bytes() == Path(usual.output.strip()).read_bytes()
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600
    assert run("show", SLOW_ID, "--html", "-").output == (tmp_path / "page.html").read_text()


def test_a_page_is_opened(
    slow: SpoolEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--open` alone writes it and hands its address to the browser; without one, that is said."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"{slow.path.stem}.html"

    monkeypatch.setenv("BROWSER", "echo opens %s")
    opened = run("show", SLOW_ID, "--open")
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    refused = run("show", SLOW_ID, "--open")

    assert (opened.exit_code, opened.output) == (0, f"{path}\n")
    assert refused.exit_code == 1
    assert f"no browser can be started here: open {path}" in refused.output


def test_no_page_is_made_of_what_is_no_incident(tmp_path: Path) -> None:
    """A damaged file, or none at all, is one sentence, and leaves no page."""
    damaged = tmp_path / "cut.flight"
    damaged.write_bytes(b"PK\x03\x04 cut off")

    outcome = run("show", str(damaged), "--html", str(tmp_path / "page.html"))

    assert outcome.exit_code == 1
    assert len(outcome.output.splitlines()) == 1
    assert "is not a readable incident" in outcome.output
    assert not (tmp_path / "page.html").exists()
