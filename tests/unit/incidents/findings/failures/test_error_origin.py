"""The origin of an error: named when the spans show it, never guessed."""

from __future__ import annotations

import builtins
import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.evidence.failures.raised import Raised, first_raised
from otel_flight.incidents.findings.failures.error_origin import find_error_origin
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.names import event_names, log_attributes, source_names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def find(builder: IncidentBuilder, cause: Cause) -> Finding | None:
    """Return what the rule says of an incident with this cause."""
    return find_error_origin(evidence_of(builder.incident(cause, closed_ms=20_000)))


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """Return an exception that was really raised, with a traceback."""
    try:
        raise error from cause
    except Exception as caught:  # noqa: BLE001
        return caught


def test_the_same_exception_is_followed_to_the_deepest_span(builder: IncidentBuilder) -> None:
    """An exception that passed up through three spans is blamed on the innermost."""
    error = raised(ConnectionError("refused"))
    root = builder.open("POST /checkout", 0)
    charge = builder.open("charge card", 10, root)
    builder.span("connect", 20, 30, charge, error=error)
    builder.end(charge, 40, error=error)
    builder.end(root, 50, error=error)

    finding = find(builder, builder.failed(root, 50))

    assert finding is not None
    assert finding.summary.startswith("`connect` failed with ConnectionError: refused (at test_")
    assert finding.summary.endswith("; so did `charge card`, `POST /checkout` above it")
    assert finding.evidence["exception.type"] == "ConnectionError"
    assert finding.evidence["code.location"].endswith(" in raised")


def test_a_deep_trigger_names_what_failed_above_it(builder: IncidentBuilder) -> None:
    """When the innermost span fired first, the spans that failed because of it are listed."""
    error = raised(ValueError("no"))
    root = builder.open("POST /checkout", 0)
    inner = builder.span("parse", 20, 30, root, error=error)
    builder.end(root, 50, error="")

    finding = find(builder, builder.failed(inner, 30))

    assert finding is not None
    assert finding.evidence["failed_above"] == ["POST /checkout"]


def test_the_place_is_the_applications_and_not_a_librarys(builder: IncidentBuilder) -> None:
    """What the standard library raised is placed in the function that called it."""
    error: Exception = ValueError()
    try:
        json.loads("<html>")
    except ValueError as caught:
        error = caught
    root = builder.span("GET /item", 0, 20, error=error)

    finding = find(builder, builder.failed(root, 20))

    assert finding is not None
    assert "(at test_error_origin.py:" in finding.summary
    assert finding.evidence["code.location"].endswith(
        " in test_the_place_is_the_applications_and_not_a_librarys"
    )


def test_the_application_is_looked_for_in_what_came_of_a_librarys_error() -> None:
    """Where the first exception passed through libraries only, the one raised from it has it."""
    inner = (
        "Traceback (most recent call last):\n"
        '  File "/x/site-packages/lib/net.py", line 3, in dial\n'
        "    connect()\nConnectionRefusedError: refused\n"
    )
    outer = (
        'Traceback (most recent call last):\n  File "/srv/shop.py", line 7, in ask_bank\n'
        '    lib.get()\n  File "/x/site-packages/lib/api.py", line 9, in get\n'
        "    raise LibraryError\nlib.LibraryError: no answer\n"
    )
    between = "\nThe above exception was the direct cause of the following exception:\n\n"

    found = first_raised(Raised("lib.LibraryError", "no answer", inner + between + outer))

    assert found.words == "ConnectionRefusedError: refused"
    assert found.place == "shop.py:7 in ask_bank"


def test_the_function_that_made_a_call_is_taken_from_the_samples(builder: IncidentBuilder) -> None:
    """Where a client's span has only the frames of its library."""
    root = builder.open("GET /item", 0)
    call = builder.open("GET", 10, root)
    error: Exception = ValueError()
    library: dict[str, Any] = {}
    exec(
        compile("def send(): raise TimeoutError('late')", "/x/site-packages/a.py", "exec"), library
    )
    try:
        library["send"]()
    except TimeoutError as caught:
        error = caught.with_traceback(caught.__traceback__ and caught.__traceback__.tb_next)
    builder.end(call, 900, error=error)
    builder.end(root, 1_000)
    for moment in range(100, 900, 100):
        sample(builder, root, moment, place("ask_stock", line=7))

    finding = find(builder, builder.failed(call, 900))

    assert finding is not None
    assert "(at a.py:1 in send), called in `ask_stock (shop/app.py:7)`" in finding.summary


def refused_by(library: str, message: str) -> Exception:
    """Return an exception that was raised by a library, with its frames only."""
    functions: dict[str, Any] = {}
    source = f"def send(): raise ValueError({message!r})"
    exec(compile(source, f"/x/site-packages/{library}", "exec"), functions)
    try:
        functions["send"]()
    except ValueError as caught:
        return caught.with_traceback(caught.__traceback__ and caught.__traceback__.tb_next)
    raise AssertionError


def test_the_function_that_made_a_call_is_taken_from_the_span_above(
    builder: IncidentBuilder,
) -> None:
    """Which the exception left, too, or one raised from it; no sample was taken of a short one."""
    root = builder.open("GET /item", 0)
    error = refused_by("driver.py", "not unique")
    builder.span("INSERT", 1, 5, root, error=error)
    builder.end(root, 9, error=raised(RuntimeError("no"), cause=error))

    finding = find(builder, builder.failed(root, 9))

    assert finding is not None
    assert "(at driver.py:1 in send), called in `raised (" in finding.summary


@pytest.mark.parametrize(
    ("chain", "is_told"),
    [("driver.ValueError: not unique in send (driver.py:1)", True), ("KeyError: 5", False)],
)
def test_the_function_that_made_a_call_is_taken_from_the_log(
    builder: IncidentBuilder, chain: str, *, is_told: bool
) -> None:
    """Where the request's span has only the status; not of another exception."""
    root = builder.open("GET /item", 0)
    builder.span("INSERT", 1, 5, root, error=refused_by("driver.py", "not unique"))
    attributes: dict[str, Any] = {
        log_attributes.LOGGER: "shop",
        log_attributes.SEVERITY: "ERROR",
        log_attributes.LEVEL: logging.ERROR,
        log_attributes.MESSAGE: "failed",
        "exception.type": "orm.IntegrityError",
        "flight_recorder.exception.chain": [chain],
    }
    builder.event(
        source_names.LOGS,
        event_names.LOG_RECORD,
        7,
        span=root,
        attributes=attributes,
        places=[place("save", line=7), place("run", file="/x/site-packages/orm.py")],
    )
    builder.end(root, 9, error="")

    finding = find(builder, builder.failed(root, 9))

    assert finding is not None
    assert (", called in `save (shop/app.py:7)`" in finding.summary) is is_told


def test_a_library_that_raises_the_same_again_is_not_repeated(builder: IncidentBuilder) -> None:
    """An exception raised from one with the same words says nothing new."""
    cause = raised(TimeoutError("timed out"))
    root = builder.span("GET /item", 0, 20, error=raised(TimeoutError("timed out"), cause))

    finding = find(builder, builder.failed(root, 20))

    assert finding is not None
    assert "which began with" not in finding.summary


def test_an_exception_raised_from_another_is_followed(builder: IncidentBuilder) -> None:
    """A wrapped exception leads to the span of the one it wraps, which its traceback quotes."""
    cause = raised(KeyError("sku"))
    root = builder.open("GET /item", 0)
    builder.span("lookup", 5, 10, root, error=cause)
    builder.end(root, 20, error=raised(RuntimeError("no such item"), cause))

    finding = find(builder, builder.failed(root, 20))

    assert finding is not None
    assert finding.evidence["span"] == "lookup"


def test_a_wrapped_exception_is_told_with_the_one_it_began_with(
    builder: IncidentBuilder,
) -> None:
    """What was raised first is named, with the place where it was, not where it was wrapped."""
    first = raised(KeyError("sku"))
    second = raised(LookupError("not in the cache"), first)
    span = builder.span("GET /item", 0, 20, error=raised(RuntimeError("no such item"), second))

    finding = find(builder, builder.failed(span, 20))

    assert finding is not None
    assert finding.summary.startswith(
        "`GET /item` failed with RuntimeError: no such item, which began with KeyError: 'sku' (at "
    )
    assert finding.evidence["first_exception"] == "KeyError: 'sku'"
    assert finding.evidence["code.location"].endswith(" in raised")


def test_an_exception_raised_while_another_was_handled_is_followed(
    builder: IncidentBuilder,
) -> None:
    """An exception that replaced another without saying so still began with it."""
    try:
        try:
            raise ConnectionResetError("reset by the database")
        except ConnectionResetError:
            raise RuntimeError("rollback failed")  # noqa: B904
    except RuntimeError as error:
        span = builder.span("GET /item", 0, 20, error=error)

    finding = find(builder, builder.failed(span, 20))

    assert finding is not None
    assert finding.evidence["first_exception"] == "ConnectionResetError: reset by the database"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are new in Python 3.11")
def test_the_members_of_a_group_are_told(builder: IncidentBuilder) -> None:
    """Also those of a group within it, and what one was raised from; one may have no place."""
    group = vars(builtins)["ExceptionGroup"]
    wrapped = raised(ValueError("no price"), raised(KeyError("sku")))
    inner = group("inner", [raised(OSError("no disk")), TypeError("two\nlines")])
    span = builder.span("GET /item", 0, 20, error=raised(group("tasks", [wrapped, inner])))

    finding = find(builder, builder.failed(span, 20))

    assert finding is not None
    assert finding.summary.startswith(
        "`GET /item` failed with ExceptionGroup: tasks (2 sub-exceptions), "
        "of ValueError: no price (at test_error_origin.py:"
    )
    assert finding.summary.endswith("TypeError: two")
    assert finding.evidence["members"] == [
        "ValueError: no price",
        "OSError: no disk",
        "TypeError: two",
    ]
    assert finding.evidence["code.location"].endswith(" in raised")


def test_a_message_that_looks_like_a_traceback_is_no_place(builder: IncidentBuilder) -> None:
    """The place is that of the last frame, whatever the message of the exception quotes."""
    span = builder.span("GET /item", 0, 20, error=raised(ValueError("a\n    b: c\n\nd")))

    finding = find(builder, builder.failed(span, 20))

    assert finding is not None
    assert "began with" not in finding.summary
    assert finding.evidence["code.location"].endswith(" in raised")


def test_a_handled_error_below_is_not_the_origin(builder: IncidentBuilder) -> None:
    """A child's exception that the parent's has nothing to do with is not blamed."""
    root = builder.open("GET /item", 0)
    builder.span("cache get", 5, 10, root, error=raised(ConnectionError("cache is down")))
    builder.end(root, 20, error=raised(ValueError("bad sku")))

    finding = find(builder, builder.failed(root, 20))

    assert finding is not None
    assert finding.evidence["span"] == "GET /item"
    assert finding.evidence["exception.type"] == "ValueError"


def test_a_failed_client_call_without_exception_is_not_the_origin(
    builder: IncidentBuilder,
) -> None:
    """A 404 from elsewhere is no origin of an exception raised later."""
    root = builder.open("GET /item", 0)
    call = builder.open("GET", 5, root, attributes={"http.response.status_code": 404})
    builder.end(call, 10, error="")
    builder.end(root, 20, error=raised(ValueError("bad sku")))

    finding = find(builder, builder.failed(root, 20))

    assert finding is not None
    assert finding.evidence["span"] == "GET /item"


def test_a_root_without_exception_is_explained_by_its_last_failed_child(
    builder: IncidentBuilder,
) -> None:
    """A server span with nothing but its status is explained by what failed inside it."""
    root = builder.open("GET /item", 0, attributes={"http.response.status_code": 503})
    builder.span("try 1", 1, 5, root, error=raised(TimeoutError("after 4 s")))
    builder.span("try 2", 6, 10, root, error=raised(TimeoutError("after 4 s again")))
    builder.end(root, 12, error="")

    finding = find(builder, builder.failed(root, 12))

    assert finding is not None
    assert finding.evidence["span"] == "try 2"


def test_a_child_that_outlived_its_parent_is_not_the_origin(builder: IncidentBuilder) -> None:
    """What failed after the parent had ended cannot have made it fail."""
    root = builder.open("GET /item", 0, attributes={"http.response.status_code": 500})
    late = builder.open("background", 5, root)
    builder.end(root, 12, error="")
    builder.end(late, 90, error=raised(ValueError("late")))

    finding = find(builder, builder.failed(root, 12))

    assert finding is not None
    assert finding.summary == "`GET /item` failed with status code 500"


def test_a_failure_without_an_exception_has_that_of_the_request(
    builder: IncidentBuilder,
) -> None:
    """What sends the answer ends first, with its status alone; the request says what was raised."""
    root = builder.open("GET /item", 0)
    lookup = builder.open("lookup", 1, root)
    error = raised(TypeError("no order"))
    builder.end(lookup, 8, error=error)
    send = builder.open("GET /item http send", 9, root, attributes={"http.status_code": 500})
    builder.end(send, 10, error="")
    builder.end(root, 12, error=error)

    finding = find(builder, builder.failed(send, 10))

    assert finding is not None
    assert finding.summary.startswith("`lookup` failed with TypeError: no order (at ")
    assert finding.summary.endswith("; so did `GET /item` above it")


def test_a_failure_without_an_exception_is_its_own_origin_where_nothing_was_raised(
    builder: IncidentBuilder,
) -> None:
    """A client's status code is not passed over for a request that failed because of it."""
    root = builder.open("GET /item", 0)
    call = builder.open("GET", 5, root, attributes={"http.response.status_code": 503})
    builder.end(call, 10, error="")
    builder.end(root, 20, error="")

    finding = find(builder, builder.failed(call, 10))

    assert finding is not None
    assert finding.summary == "`GET` failed with status code 503; so did `GET /item` above it"


def test_an_exception_is_not_passed_over_for_that_of_the_request(builder: IncidentBuilder) -> None:
    """What a child raised is why it fired, though the request failed with something else later."""
    root = builder.open("GET /item", 0)
    inner = builder.span("cache get", 5, 10, root, error=raised(ConnectionError("cache is down")))
    builder.end(root, 20, error=raised(ValueError("bad sku")))

    finding = find(builder, builder.failed(inner, 10))

    assert finding is not None
    assert finding.evidence["span"] == "cache get"


def test_an_error_inside_a_slow_request_is_named_with_its_share(builder: IncidentBuilder) -> None:
    """A slow request that waited for a call that failed in the end shows how long that took."""
    root = builder.open("GET /item", 0)
    builder.span("inventory", 100, 5100, root, error=raised(TimeoutError("no answer")))
    builder.end(root, 10_000)

    finding = find(builder, builder.slow(root, 10_000))

    assert finding is not None
    assert "`inventory` failed with TimeoutError: no answer" in finding.summary
    assert finding.explained_share == pytest.approx(0.5)


def test_text_from_requests_cannot_drive_the_terminal(builder: IncidentBuilder) -> None:
    """Escape sequences and line breaks in a message do not get into the sentence."""
    root = builder.span("GET /item", 0, 5, error=ValueError("a\x1b[2Jb\r\nc\u202ed"))

    finding = find(builder, builder.failed(root, 5))

    assert finding is not None
    assert finding.summary == "`GET /item` failed with ValueError: a [2Jb c d"


def test_silent_when_it_would_only_repeat_the_cause(builder: IncidentBuilder) -> None:
    """A failed root that says nothing about why, alone, is no finding."""
    root = builder.span("GET /item", 0, 5, error="")

    assert find(builder, builder.failed(root, 5)) is None


def test_silent_when_nothing_failed(builder: IncidentBuilder) -> None:
    """A slow request in which nothing failed has no error origin."""
    root = builder.open("GET /item", 0)
    builder.span("work", 1, 1900, root)
    builder.end(root, 2000)
    builder.span("GET /other", 0, 5, error=raised(ValueError("elsewhere")))

    assert find(builder, builder.slow(root, 2000)) is None


def test_silent_when_the_trigger_is_not_in_the_window(builder: IncidentBuilder) -> None:
    """A trigger span that was overwritten leaves nothing to say."""
    with IncidentBuilder(Path(tempfile.mkdtemp())) as elsewhere:
        lost = elsewhere.span("GET /lost", 0, 5, error="gone")
    builder.span("GET /item", 0, 5, error="still here")

    assert find(builder, builder.failed(lost, 5)) is None


def logs(
    builder: IncidentBuilder, span: Span | None, at_ms: float, level: int, **said: object
) -> None:
    """Log a record in a span."""
    attributes = {
        log_attributes.LOGGER: "shop",
        log_attributes.SEVERITY: logging.getLevelName(level),
        log_attributes.LEVEL: level,
        log_attributes.MESSAGE: "no connection to the warehouse",
        **said,
    }
    builder.event(
        source_names.LOGS, event_names.LOG_RECORD, at_ms, span=span, attributes=attributes
    )


def test_a_failure_without_an_exception_has_what_was_logged(builder: IncidentBuilder) -> None:
    """The error it logged last, of the records with an exception where there are such."""
    root = builder.open("GET /stock", 0, attributes={"http.response.status_code": 500})
    logs(builder, root, 5, logging.ERROR, **{"exception.type": "shop.NoRoute"})
    logs(builder, root, 6, logging.ERROR)
    logs(builder, root, 7, logging.WARNING)
    builder.end(root, 10, error="")

    finding = find(builder, builder.failed(root, 10))

    assert finding is not None
    assert finding.summary == (
        "`GET /stock` failed with status code 500; `shop` logged ERROR: "
        "no connection to the warehouse; it was about NoRoute"
    )


@pytest.mark.parametrize(("at_ms", "level"), [(5, logging.WARNING), (15, logging.ERROR)])
def test_other_records_say_nothing_of_a_failure(
    builder: IncidentBuilder, at_ms: float, level: int
) -> None:
    """A warning, or what was logged when it had failed already, is not taken for the reason."""
    root = builder.open("GET /stock", 0, attributes={"http.response.status_code": 500})
    logs(builder, root, at_ms, level)
    builder.end(root, 10, error="")

    finding = find(builder, builder.failed(root, 10))

    assert finding is not None
    assert finding.summary == "`GET /stock` failed with status code 500"


@pytest.mark.parametrize(
    ("at_ms", "kind", "words"),
    [
        (15, "KeyError", "KeyError: 5"),
        (15, "shop.NoRoute", "builtins.KeyError"),
        (1500, "KeyError", "builtins.KeyError"),
    ],
)
def test_a_failure_that_only_names_its_exception_has_the_one_that_the_server_logged(
    builder: IncidentBuilder, at_ms: float, kind: str, words: str
) -> None:
    """Its server logs it when the trace is over, and soon; others are not taken for it."""
    root = builder.open("GET /stock", 0, attributes={"error.type": "builtins.KeyError"})
    builder.end(root, 10, error="")
    logs(builder, None, at_ms, logging.ERROR, **{"exception.type": kind, "exception.message": "5"})

    finding = find(builder, builder.failed(root, 10))

    assert finding is not None
    assert finding.summary == f"`GET /stock` failed with {words}"


def test_what_was_logged_before_the_answer_is_told(builder: IncidentBuilder) -> None:
    """The framework logs what failed, and then sends status 500, in a span that fails first."""
    root = builder.open("GET /stock", 0, attributes={"http.response.status_code": 500})
    logs(builder, root, 5, logging.ERROR, **{"exception.type": "KeyError"})
    builder.span(
        "GET /stock http send",
        6,
        7,
        parent=root,
        error="",
        attributes={"http.response.status_code": 500},
    )
    builder.end(root, 10, error="")

    finding = find(builder, builder.failed(root, 10))

    assert finding is not None
    assert finding.summary == (
        "`GET /stock http send` failed with status code 500; so did `GET /stock` above it; "
        "`shop` logged ERROR: no connection to the warehouse; it was about KeyError"
    )
