"""What someone patched of the API and the SDK is called as without the recorder."""

from __future__ import annotations

import functools
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace import Span, Tracer, TracerProvider, _Span

import otel_flight
from otel_flight.recording.light.light_span import LightSpan

METHODS = ("add_event", "end", "set_attribute", "set_attributes", "start", "update_name")
PATCHED_BEFORE = """
called = []
from opentelemetry import context, trace
from opentelemetry.sdk.trace import Span, Tracer, TracerProvider

def patch(owner, name):
    theirs = getattr(owner, name)
    def around(*arguments, **named):
        called.append(name)
        return theirs(*arguments, **named)
    setattr(owner, name, around)

for owner, name in (
    (Span, "end"), (Tracer, "start_span"), (Tracer, "start_as_current_span"), (trace, "use_span"),
    (trace, "get_current_span"), (context, "attach"), (context, "detach"),
):
    patch(owner, name)
provider = TracerProvider(shutdown_on_exit=False)
if {installed}:
    import otel_flight
    otel_flight.install(tracer_provider=provider, export="off", light_spans="{light}").start()
called.clear()
with provider.get_tracer("tests").start_as_current_span("a"):
    provider.get_tracer("tests").start_span("b").end()
print(*called)
"""


@pytest.fixture(params=["auto", "python"])
def tracer(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a tracer that has made a light span."""
    provider = TracerProvider(shutdown_on_exit=False)
    otel_flight.install(
        tracer_provider=provider, light_spans=request.param, export="off", tail_seconds=0
    ).start()
    tracer = provider.get_tracer("tests")
    assert isinstance(tracer.start_span("first"), LightSpan)
    yield tracer
    otel_flight.uninstall()


def use(tracer: Any) -> None:
    """Do with a span what there is to do."""
    span = tracer.start_span("span")
    span.set_attribute("a", 1)
    span.set_attributes({"b": 2})
    span.update_name("other")
    span.add_event("event")
    span.end()


@pytest.mark.parametrize("owner", [Span, _Span])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_spans_is_called_while_it_is_patched(
    tracer: Any, owner: Any, name: str
) -> None:
    """Also if that was done after the first light span, which there are again afterwards."""
    with mock.patch.object(owner, name, autospec=True, side_effect=getattr(Span, name)) as patched:
        use(tracer)

    assert patched.call_count == 1
    assert isinstance(tracer.start_span("after"), LightSpan)


def test_a_class_of_spans_is_used_while_it_is_patched(tracer: Any) -> None:
    """Spans are of the class that the SDK would make."""

    class Theirs(_Span):
        """Somebody's."""

    with mock.patch.object(sdk_trace, "_Span", Theirs):
        span = tracer.start_span("a")

    assert type(span) is Theirs
    assert isinstance(tracer.start_span("after"), LightSpan)


@pytest.mark.parametrize(
    ("owner", "name", "arguments", "named"),
    [
        (Tracer, "start_as_current_span", ["a"], {"record_exception": False}),
        (Tracer, "start_span", [], {"name": "a", "record_exception": False}),
        (trace, "use_span", [], {"end_on_exit": True, "record_exception": False}),
        (trace, "get_current_span", [None], {}),
        (context, "attach", [], {}),
        (context, "detach", [], {}),
    ],
)
def test_a_function_around_a_block_is_called_while_it_is_patched(
    tracer: Any, owner: Any, name: str, arguments: list[Any], named: dict[str, Any]
) -> None:
    """With the arguments that it would be given."""
    calls: list[Any] = []
    theirs = getattr(owner, name)

    @functools.wraps(theirs)
    def around(*given: Any, **given_named: Any) -> Any:
        calls.append((given, given_named))
        return theirs(*given, **given_named)

    with (
        mock.patch.object(owner, name, around),
        tracer.start_as_current_span("a", record_exception=False) as span,
    ):
        assert trace.get_current_span() is span

    assert not trace.get_current_span().is_recording()
    assert len(calls) == (2 if name == "get_current_span" else 1)
    assert all(each in calls[0][0] for each in arguments)
    assert named.items() <= calls[0][1].items()


def test_a_current_span_that_is_patched_is_the_parent(tracer: Any) -> None:
    """As tests do that give their code a span to be below."""
    parent = trace.NonRecordingSpan(trace.SpanContext(5, 6, is_remote=True))

    with mock.patch("opentelemetry.trace.get_current_span", return_value=parent):
        span = tracer.start_span("a")

    assert span.parent is parent.get_span_context()


@pytest.mark.parametrize("name", [*METHODS, "get_span_context", "is_recording"])
def test_a_method_of_a_span_says_what_it_takes(tracer: Any, name: str) -> None:
    """By the names that the SDK's has, for those that ask before they call it."""
    light = inspect.signature(getattr(tracer.start_span("a"), name))
    theirs = inspect.signature(getattr(Span, name))

    assert ["self", *light.parameters] == list(theirs.parameters) or "args" in theirs.parameters


@pytest.mark.parametrize("what", [lambda tracer: tracer, lambda tracer: tracer.start_span("a")])
def test_neither_a_tracer_nor_a_span_can_be_pickled(tracer: Any, what: Any) -> None:
    """By the same kind of error as the SDK's, which programs expect."""
    theirs: Any = TracerProvider(shutdown_on_exit=False).get_tracer("tests")

    for each in (theirs, tracer):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(what(each))


def test_a_get_tracer_that_someone_put_there_is_given_back() -> None:
    """One that came before the recorder, and one that came after it."""
    provider: Any = TracerProvider(shutdown_on_exit=False)
    before = provider.get_tracer = mock.Mock(side_effect=provider.get_tracer)
    otel_flight.install(tracer_provider=provider, export="off")
    provider.get_tracer("tests")
    otel_flight.uninstall()

    assert provider.get_tracer is before
    assert before.call_count == 1

    otel_flight.install(tracer_provider=provider, export="off")
    after = provider.get_tracer = mock.Mock(side_effect=provider.get_tracer)
    otel_flight.uninstall()

    assert provider.get_tracer is after
    assert type(after("other")) is Tracer


def test_a_clock_that_fails_leaves_a_span_open(tracer: Any) -> None:
    """It can be ended afterwards."""
    with mock.patch.object(sdk_trace, "time_ns", side_effect=[5, OSError("no clock"), 9]):
        span = tracer.start_span("a")
        with pytest.raises(OSError, match="no clock"):
            span.end()
        assert span.is_recording()
        span.end()

    assert span.end_time == 9


@pytest.mark.parametrize("light", ["auto", "python"])
def test_what_was_patched_before_the_recorder_was_imported_is_called(light: str) -> None:
    """An agent is often there first."""
    said = [
        subprocess.run(
            [sys.executable, "-c", PATCHED_BEFORE.format(installed=installed, light=light)],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for installed in (False, True)
    ]

    assert said[0] == said[1]
    assert said[0].split().count("end") == 2
