"""The ids and flags of light spans come from where the SDK's come from, in the same order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import id_generator
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.span import TraceState

from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.self_test import Twins
from tests.support.implementations.light_kinds import LIGHT_TRACERS

SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    TraceIdRatioBased(0.5),
    TraceIdRatioBased(0),
    TraceIdRatioBased(1),
    ParentBased(ALWAYS_ON),
    ParentBased(ALWAYS_OFF),
    ParentBased(TraceIdRatioBased(0.3)),
    ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF),
]
REMOTE = [
    SpanContext(7 << 64 | 1 << 63 | 8, 9, is_remote, TraceFlags(flags), state)
    for is_remote in (True, False)
    for flags in (0, 1, 2, 3, 0xFF)
    for state in (None, TraceState([("a", "b")]))
]

Change = Callable[[Any], Any]


def contexts(twins: Twins) -> list[list[Any]]:
    """Return what both tracers made of the same calls, with the same seed."""
    made = []
    for tracer in twins.tracers:
        random.seed(42)
        spans = [tracer.start_span("root") for _ in range(20)]
        spans += [
            tracer.start_span("below", trace.set_span_in_context(above))
            for above in (*spans, *map(NonRecordingSpan, REMOTE))
        ]
        made.append([(span.get_span_context(), span.parent) for span in spans])
    return made


@pytest.fixture(autouse=True)
def generator_state() -> Any:
    """Leave the state of `random` as it was."""
    state = random.getstate()
    yield
    random.setstate(state)


@pytest.mark.parametrize("made", LIGHT_TRACERS)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description()[:60])
def test_a_seed_gives_the_same_contexts(sampler: Sampler, made: type[LightTracer]) -> None:
    """Ids, flags, trace state and parent are those of the SDK's spans, whatever decides."""
    twins = Twins(sampler, None, made)
    for tracer in twins.tracers:
        tracer.id_generator = RandomIdGenerator()

    ours = contexts(twins)

    assert ours[0] == ours[1]


class Counting(RandomIdGenerator):
    """A generator of someone's own."""

    count = 0

    def generate_span_id(self) -> int:
        """Return the next one."""
        self.count += 1
        return self.count


def _own(tracer: Any) -> Any:
    tracer.id_generator = Counting()
    return mock.MagicMock()


class Fixed(RandomIdGenerator):
    """One that gives one and the same id."""

    def __init__(self, span_id: int) -> None:
        self.span_id = span_id

    def generate_trace_id(self) -> int:
        """Return the one."""
        return 5

    def generate_span_id(self) -> int:
        """Return the other."""
        return self.span_id

    def is_trace_id_random(self) -> bool:
        """Return what is so."""
        return False


def _own_zero(tracer: Any) -> Any:
    tracer.id_generator = Fixed(0)
    return mock.MagicMock()


def _own_large(tracer: Any) -> Any:
    tracer.id_generator = Fixed(1 << 70)
    return mock.MagicMock()


def _on_instance(tracer: Any) -> Any:
    tracer.id_generator = RandomIdGenerator()
    return mock.patch.object(tracer.id_generator, "generate_span_id", return_value=5)


def _on_class(tracer: Any) -> Any:
    tracer.id_generator = RandomIdGenerator()
    return mock.patch.object(RandomIdGenerator, "generate_trace_id", return_value=6)


def _in_module(tracer: Any) -> Any:
    tracer.id_generator = RandomIdGenerator()
    return mock.patch.object(id_generator, "random", random.Random(3))


def _getrandbits(tracer: Any) -> Any:
    tracer.id_generator = RandomIdGenerator()
    return mock.patch("random.getrandbits", side_effect=[0, 7, 0, 0, *range(8, 200)])


@pytest.mark.parametrize("made", LIGHT_TRACERS)
@pytest.mark.parametrize(
    "change",
    [_own, _own_zero, _own_large, _on_instance, _on_class, _in_module, _getrandbits],
    ids=lambda change: change.__name__.strip("_"),
)
def test_whoever_makes_ids_is_asked(change: Change, made: type[LightTracer]) -> None:
    """A generator of someone's own and all patches have their effect, as they have on the SDK."""
    twins = Twins(ParentBased(ALWAYS_ON), None, made)
    found = []

    for tracer in twins.tracers:
        random.seed(7)
        with change(tracer):
            root = tracer.start_span("root")
            child = tracer.start_span("child", trace.set_span_in_context(root))
            below = tracer.start_span("below", trace.set_span_in_context(child))
        found.append([(span.get_span_context(), span.parent) for span in (root, child, below)])
        assert isinstance(below, LightSpan) is (tracer is twins.tracers[1])

    assert found[0] == found[1]
