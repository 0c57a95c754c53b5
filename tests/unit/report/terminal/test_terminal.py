"""The terminal report: readable at any width, harmless, and honest about what is missing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from otel_flight.assembly import ASSEMBLY
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Losses, Refused
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.report.model.incident_report import build_report
from otel_flight.report.terminal.page import Page
from otel_flight.report.terminal.terminal import print_report
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring", window_bytes=4 * 1024**2) as builder:
        yield builder


def printed(
    incident: Incident,
    *,
    width: int = 80,
    state: DeliveryState | None = None,
    encoding: str = "utf-8",
    is_terminal: bool = False,
) -> str:
    """Return what is printed of an incident."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(
        file=stream,
        width=width,
        force_terminal=is_terminal,
        color_system="standard" if is_terminal else "auto",
    )
    report = build_report(incident, ASSEMBLY.rulebook, state=state, max_rows=20, max_neighbours=5)
    print_report(report, Page(console))
    stream.seek(0)
    return stream.read()


def busy_incident(builder: IncidentBuilder) -> Incident:
    """Return an incident with a bit of everything."""
    for start in range(0, 10_000, 100):
        builder.request("GET /items", start, start + 90)
    root = builder.open("GET /报告/{id}", 10_000)
    builder.span("cache get", 10_010, 10_020, root, error=ConnectionError("refused " * 40))
    builder.span("inventory lookup " * 5, 10_030, 12_500, root)
    builder.end(root, 12_600)
    for number in range(9):
        builder.request("GET /items", 11_000 + number, 12_700)
    builder.open("POST /cart", 12_000)
    log = {"flight_recorder.log.logger": "shop", "flight_recorder.log.message": "库存 " * 60}
    builder.event("logs", "log record", 11_000, span=root, attributes=log)
    builder.event("gc", "gc pause", 2000, 2100)
    causes = [builder.slow(root, 12_600), builder.failed(root, 12_600)]
    return builder.incident(*causes, closed_ms=14_600)


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_lines_fit_the_width(builder: IncidentBuilder, width: int) -> None:
    """No line is wider than the terminal or ends in blanks, wide characters included."""
    lines = printed(busy_incident(builder), width=width).splitlines()

    assert max(cell_len(line) for line in lines) <= width
    assert [line for line in lines if line != line.rstrip()] == []


def test_everything_worth_knowing_is_said(builder: IncidentBuilder) -> None:
    """Cause, findings, the trace, its neighbours, what is open, the window and the losses."""
    text = printed(busy_incident(builder), width=120)

    assert "slow local root  GET /报告/{id}\n  took 2.6s, its limit is 1s" in text
    assert "then  error span  GET /报告/{id}" in text
    assert "[1] `inventory lookup inventory lookup" in text
    assert "GET /报告/{id}" in text.split("Trace ")[1]
    assert "Meanwhile: 10 other requests" in text
    assert "… 5 more; in all 9 × GET /items, 1 × POST /cart" in text
    assert "1 span in 1 request:\n  POST /cart for 2.6s" in text
    assert "12.6s before the trigger (of 1m asked for: recording had begun only then)" in text
    assert "lost      nothing" in text


def test_bars_show_when_and_how_long(builder: IncidentBuilder) -> None:
    """A span of the second half has its bar in the second half, and a quick one is a dot."""
    root = builder.open("root", 0)
    builder.span("dot", 500, 501, root)
    builder.span("late", 1000, 2000, root)
    builder.end(root, 2000)

    lines = printed(builder.incident(builder.slow(root, 2000), closed_ms=4000)).splitlines()

    whole, dot, late = lines[lines.index(next(x for x in lines if x.startswith("root"))) :][:3]
    start, length = whole.index("━"), whole.count("━")
    assert late.count("━") == pytest.approx(length / 2, abs=1)
    assert late.index("━") == pytest.approx(start + length / 2, abs=1)
    assert dot.index("╸") == pytest.approx(start + length / 4, abs=1)


@pytest.mark.parametrize(
    ("encoding", "glyph"), [pytest.param("utf-8", "▒", id="utf-8"), ("ascii", "#")]
)
def test_a_pause_is_drawn_differently_and_called_one(
    builder: IncidentBuilder, encoding: str, glyph: str
) -> None:
    """Its bar has a character of its own, its line the word, and the head of the tree its count."""
    root = builder.request("GET /report", 0, 2000)
    builder.event("gc", "gc pause", 500, 1500)

    text = printed(
        builder.incident(builder.slow(root, 2000), closed_ms=4000), encoding=encoding, width=100
    )

    (line,) = [line for line in text.splitlines() if "gc pause" in line and glyph in line]
    assert 25 < line.count(glyph) < 50
    assert line.endswith("1s pause [1]")
    assert ": 1 span, 1 pause" in text


def test_what_else_happened_is_yields_to_time(builder: IncidentBuilder) -> None:
    """When it was on the timeline's axis, what it was, what it said, and in which span."""
    log = {
        "flight_recorder.log.logger": "shop.bank",
        "flight_recorder.log.severity": "WARNING",
        "flight_recorder.log.message": "slow",
    }
    root = builder.open("GET /report", 3000)
    charge = builder.open("charge card", 3010, root)
    builder.event("logs", "log record", 3050, span=charge, attributes=log)
    builder.end(charge, 4900)
    builder.end(root, 5000)
    builder.event("event_loop", "event loop blocked", 1000, 1300, thread_id=7)

    text = printed(builder.incident(builder.slow(root, 5000), closed_ms=6000), width=100)

    assert text.split("What else happened: 2 events")[1].split("\n\n")[0].splitlines()[1:] == [
        "     -2s  event loop blocked  300ms",
        "    50ms  log record          WARNING shop.bank: slow in charge card",
    ]


def test_no_colour_when_piped(builder: IncidentBuilder) -> None:
    """A file or a pipe gets no escape sequences; a terminal does."""
    incident = busy_incident(builder)

    assert "\x1b" not in printed(incident)
    assert "\x1b[" in printed(incident, is_terminal=True)


def test_a_plain_encoding_gets_plain_characters(builder: IncidentBuilder) -> None:
    """A terminal without line-drawing characters gets a report without them."""
    root = builder.open("GET /report", 0)
    builder.span("work", 10, 1990, root)
    builder.end(root, 2000)

    text = printed(builder.incident(builder.slow(root, 2000), closed_ms=4000), encoding="ascii")

    assert "` work" in text
    assert "====" in text


def test_names_from_requests_cannot_drive_the_terminal(builder: IncidentBuilder) -> None:
    """Escape sequences, markup and line breaks in names and attributes stay text."""
    nasty = "GET /\x1b]0;owned\x07\x1b[2J\r\n[bold red]x"
    root = builder.span(nasty, 0, 2000, error=ValueError(nasty))
    builder.request(nasty, 100, 200)
    builder.event("logs", nasty, 150, attributes={"flight_recorder.log.message": nasty, nasty: 1})
    cause = builder.cause("manual", nasty, root, 2000, {"why": nasty})

    text = printed(builder.incident(cause, closed_ms=4000))

    assert not {"\x1b", "\x07", "\r"} & set(text)
    assert "[bold red]x" in text


def test_losses_are_said_in_words(builder: IncidentBuilder) -> None:
    """Each kind of loss has its own line, with its number."""
    losses = Losses(evicted=12_345, overtaken=2, dropped=1, cut=3, converted=4)

    text = printed(builder.incident(closed_ms=100, losses=losses), width=120)

    assert "12 345 records overwritten since the process started: the window was full" in text
    assert "2 records overwritten while the window was copied" in text
    assert "1 record dropped since the process started: too many came at once" in text
    assert "3 records shortened" in text
    assert "4 values kept as text" in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param(DeliveryState(), "not delivered", id="not-yet"),
        pytest.param(
            DeliveryState(delivered=True, endpoint="http://collector:4317", attempts=2),
            "delivered to http://collector:4317",
            id="delivered",
        ),
        pytest.param(
            DeliveryState(attempts=3, last_error="refused", endpoint="http://collector:4317"),
            "not delivered to http://collector:4317 after 3 attempts: refused",
            id="failing",
        ),
        pytest.param(
            DeliveryState(delivered=True, endpoint="/spool/x.otlp.json"),
            "copied to OTLP-JSON, as no endpoint is configured",
            id="copied",
        ),
        pytest.param(
            DeliveryState(delivered=True, last_error="otel-flight[json] is missing"),
            "kept in the spool only: otel-flight[json] is missing",
            id="kept",
        ),
        pytest.param(
            DeliveryState(
                delivered=True,
                endpoint="http://c:1",
                undeliverable_spans=2,
                undeliverable_reason="413 Too Large",
            ),
            "delivered to http://c:1, without 2 spans it does not take: 413 Too Large",
            id="without-some",
        ),
        pytest.param(
            DeliveryState(delivered=True, endpoint="http://c:1", undeliverable_spans=1),
            "without 1 span it does not take: no reason given",
            id="without-a-reason",
        ),
        pytest.param(
            DeliveryState(delivered=True, endpoint="http://c:1", resent_chunks=1),
            "delivered to http://c:1, 1 request of it perhaps twice",
            id="perhaps-twice",
        ),
        pytest.param(
            DeliveryState(attempts=1, chunks=2), "2 chunks delivered, not all after", id="half"
        ),
    ],
)
def test_the_delivery_is_said_in_words(
    builder: IncidentBuilder, state: DeliveryState, words: str
) -> None:
    """Whether the backend has it, and if not, why not."""
    assert words in printed(builder.incident(closed_ms=100), state=state, width=120)


def test_a_trigger_that_is_not_in_the_window_is_said_so(
    builder: IncidentBuilder, tmp_path: Path
) -> None:
    """A trigger span that was overwritten leaves a report that says so."""
    with IncidentBuilder(tmp_path / "ring") as elsewhere:
        lost = elsewhere.span("GET /lost", 0, 5, error="gone")

    text = printed(builder.incident(builder.failed(lost, 5), closed_ms=2000))

    assert "error span  GET /lost" in text
    assert "The span that fired is not in the window." in text


def test_a_snapshot_is_called_one(builder: IncidentBuilder) -> None:
    """A window that was written without a trigger has no cause and no findings."""
    builder.request("GET /items", 0, 90)

    text = printed(builder.incident(closed_ms=1000))

    assert "A snapshot: nothing fired." in text
    assert "Requests within 1s: 1" in text


def test_what_was_refused_before_is_told(builder: IncidentBuilder) -> None:
    """How often, and for what; not for all of very many causes."""
    incident = busy_incident(builder)
    few = Refused(firings=1240, causes={"error span GET /x": 1200, "slow local root job": 40})
    many = Refused(firings=9, causes={f"cause {number}": 1 for number in range(9)})

    def told(refused: Refused) -> str:
        manifest = msgspec.structs.replace(incident.manifest, refused=refused)
        return " ".join(printed(Incident(manifest, incident.window)).split())

    assert (
        "1 240 firings of 2 causes were refused since the incident before: error span GET /x, "
        "slow local root job" in told(few)
    )
    assert "cause 0, cause 1, cause 2 and 6 more" in told(many)
    assert "refused since" not in told(Refused())
