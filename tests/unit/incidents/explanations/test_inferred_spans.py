"""Spans that stack samples show, on incidents whose samples the test records itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.explanations.explanation import explain
from otel_flight.incidents.explanations.inferred_spans import MOST_DEEP, MOST_SPANS, infer_spans
from otel_flight.incidents.manifest import Explanation
from otel_flight.interpreter.code.places import Place
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, at

LIBRARY = "/srv/.venv/lib/python3.11/site-packages/driver/cursor.py"


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def place(function: str, file: str = "/srv/shop/app.py", line: int = 1) -> Place:
    """Return a place in a function of that name."""
    namespace: dict[str, object] = {}
    exec(compile(f"def {function}(): pass", file, "exec"), namespace)
    return namespace[function].__code__, line  # type: ignore[attr-defined]


def sample(
    builder: IncidentBuilder,
    span: Span,
    at_ms: float,
    *places: Place,
    wait: str = "",
    thread_id: int = 7,
) -> None:
    """Record a sample of a local root."""
    attributes = {names.WAIT_KIND: wait, names.WAIT_ON: "it"} if wait else {}
    builder.event(
        "stacks",
        "waiting" if wait else "running",
        at_ms,
        span=span,
        attributes=attributes,
        places=places,
        thread_id=thread_id,
    )


def inferred(builder: IncidentBuilder, span: Span, closed_ms: float = 2_000) -> list[Explanation]:
    """Return the inferred spans of an incident that a slow local root made."""
    incident = builder.incident(builder.slow(span, 1_000), closed_ms=closed_ms)
    return [each for each in explain(evidence_of(incident)) if each.kind == "inferred"]


def test_consecutive_samples_in_one_function_are_one_span(builder: IncidentBuilder) -> None:
    """From halfway to the sample before, to halfway to the one after, below the span itself."""
    load, render = place("load", line=5), place("render", line=9)
    root = builder.request("GET /page", 0, 1_000)
    for moment in (300, 400, 500):
        sample(builder, root, moment, load)
    for moment in (600, 700):
        sample(builder, root, moment, render)

    spans = inferred(builder, root)

    assert [(each.name, each.start_ns, each.end_ns) for each in spans] == [
        ("load", at(250), at(550)),
        ("render", at(550), at(750)),
    ]
    context = root.get_span_context()
    assert {each.parent_span_id for each in spans} == {f"{context.span_id:016x}"}
    assert spans[0].attributes == {
        "flight_recorder.source": "stacks",
        "flight_recorder.samples": 3,
        "code.function.name": "load",
        "code.file.path": "/srv/shop/app.py",
        "code.line.number": 5,
    }


def test_functions_are_below_those_that_called_them(builder: IncidentBuilder) -> None:
    """The caller goes on while the functions it calls change; libraries in between are left out."""
    handler, load, render = place("handler"), place("load"), place("render")
    library = place("execute", LIBRARY)
    root = builder.request("GET /page", 0, 1_000)
    sample(builder, root, 300, library, handler, load, library)
    sample(builder, root, 400, library, handler, load, library)
    sample(builder, root, 500, library, handler, render)

    spans = inferred(builder, root)

    ids = {each.name: each.id for each in spans}
    assert [(each.name, each.parent_span_id) for each in spans[1:]] == [
        ("load", ids["handler"]),
        ("render", ids["handler"]),
    ]
    assert (spans[0].name, spans[0].start_ns, spans[0].end_ns) == ("handler", at(250), at(550))
    assert len(set(ids.values())) == 3


def test_what_started_the_server_is_folded(builder: IncidentBuilder) -> None:
    """Nobody's request is served by a script of gunicorn's; unfolded, all is there."""
    script = place("run_script", "/srv/.venv/bin/gunicorn", 8)
    library, handler = place("execute", LIBRARY), place("handler")
    root = builder.request("GET /page", 0, 1_000)
    for moment in (300, 400):
        sample(builder, root, moment, script, library, handler)
    incident = builder.incident(builder.slow(root, 1_000), closed_ms=2_000)
    evidence = evidence_of(incident)

    assert [each.name for each in infer_spans(evidence)] == ["handler"]
    unfolded = infer_spans(evidence, is_unfolded=True)
    assert [each.name for each in unfolded] == ["run_script", "execute", "handler"]


def test_what_is_waited_for_is_the_innermost(builder: IncidentBuilder) -> None:
    """The wait has a span of its own, named by its kind, which says for what."""
    root = builder.request("GET /page", 0, 1_000)
    for moment in (300, 400):
        sample(builder, root, moment, place("load"), wait="lock")

    load, wait = inferred(builder, root)

    assert (load.name, wait.name, wait.parent_span_id) == ("load", "waiting: lock", load.id)
    assert wait.attributes["flight_recorder.wait.on"] == "it"
    assert "code.function.name" not in wait.attributes


def test_a_span_is_below_the_one_that_was_open_then(builder: IncidentBuilder) -> None:
    """Samples within a child span are below that, and end with it."""
    root = builder.open("GET /page", 0)
    query = builder.span("query", 350, 650, root)
    builder.end(root, 1_000)
    for moment in (300, 400, 500, 600, 700):
        sample(builder, root, moment, place("handler"))

    spans = inferred(builder, root)

    parents = [each.parent_span_id for each in spans]
    root_id = f"{root.get_span_context().span_id:016x}"
    query_id = f"{query.get_span_context().span_id:016x}"
    assert parents == [root_id, query_id, root_id]
    assert (spans[1].start_ns, spans[1].end_ns) == (at(350), at(650))


def test_a_gap_is_not_covered(builder: IncidentBuilder) -> None:
    """Where no sample was taken, nothing is said."""
    load = place("load")
    root = builder.request("GET /page", 0, 4_000)
    for moment in (300, 400, 500, 3_500, 3_600):
        sample(builder, root, moment, load)

    spans = inferred(builder, root, closed_ms=5_000)

    assert [(each.start_ns, each.end_ns) for each in spans] == [
        (at(250), at(550)),
        (at(3_450), at(3_715)),
    ]


def test_a_task_that_the_loop_does_not_come_round_to_does_not_wait(
    builder: IncidentBuilder,
) -> None:
    """While the loop is blocked, what the task awaits is not what it waits for."""
    root = builder.request("GET /page", 0, 1_000)
    incident_thread = threading.get_ident()  # which the builder's spans start on
    builder.event("event_loop", "event loop blocked", 250, 900, thread_id=incident_thread)
    for moment in (300, 400, 500):
        sample(builder, root, moment, place("load"), wait="sleep", thread_id=incident_thread)
    sample(builder, root, 950, place("load"), wait="sleep", thread_id=incident_thread)

    spans = inferred(builder, root)

    assert {(each.start_ns >= at(900)) for each in spans} == {True}
    assert spans


def test_deep_and_changing_stacks_are_bounded(builder: IncidentBuilder) -> None:
    """The innermost functions of a deep stack are shown; of very many spans, the first levels."""
    root = builder.request("GET /page", 0, 40_000)
    deep = [place(f"level_{depth}") for depth in range(20)]
    for number in range(150):
        sample(builder, root, 300 + number * 100, *deep, place(f"step_{number % 3}"))

    spans = inferred(builder, root, closed_ms=41_000)

    assert len(spans) <= MOST_SPANS
    below = {each.id: each for each in spans}
    depths = []
    for each in spans:
        depth, above = 1, each
        while above.parent_span_id in below:
            depth, above = depth + 1, below[above.parent_span_id]
        depths.append(depth)
    assert max(depths) == MOST_DEEP


def test_samples_of_another_request_are_not_shown(builder: IncidentBuilder) -> None:
    """Each request has its own."""
    root = builder.request("GET /page", 0, 1_000)
    other = builder.request("GET /other", 0, 1_000)
    for moment in (300, 400):
        sample(builder, other, moment, place("load"))

    assert inferred(builder, root) == []
