"""What collector-config/load-balancing.yaml promises before two Collectors that sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import key, run_scenario
from tests.support.backends.shipped_collector import ShippedCollector, target_of
from tests.support.processes.ordinary_service import OrdinaryService
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [*needs_backends("collector"), pytest.mark.timeout(120)]

TRACES = 60


@dataclass(frozen=True)
class Member:
    """One Collector of the second tier, and a backend that no other Collector sends to."""

    collector: ShippedCollector
    backend: OtlpReceiver

    def keys(self) -> list[tuple[str, str]]:
        """Return trace id and span id of everything that came out of it."""
        return [key(item) for item in self.backend.spans()]

    def trace_ids(self) -> set[str]:
        """Return the traces that came out of it."""
        return {trace_id for trace_id, _ in self.keys()}


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[Member]]:
    """Run a second tier of two, which keeps every trace."""
    with ExitStack() as running:
        found = []
        for name in ("one", "two"):
            backend = running.enter_context(OtlpReceiver())
            variables = {
                "BACKEND_ENDPOINT": target_of(backend.grpc_endpoint),
                "SAMPLING_PERCENTAGE": "100",
                "DECISION_WAIT": "1s",
            }
            collector = ShippedCollector(tmp_path / name, "tail-sampling.yaml", variables)
            found.append(Member(running.enter_context(collector), backend))
        yield found


@pytest.fixture
def balancers(members: list[Member], tmp_path: Path) -> Iterator[list[ShippedCollector]]:
    """Run a first tier of two before it."""
    tier = ", ".join(member.collector.target for member in members)
    with ExitStack() as running:
        yield [
            running.enter_context(
                ShippedCollector(
                    tmp_path / name, "load-balancing.yaml", {"SAMPLING_TIER": f"[{tier}]"}
                )
            )
            for name in ("balancer-one", "balancer-two")
        ]


def make_traces(*endpoints: str) -> set[tuple[str, str]]:
    """Send traces of three spans, each span in a request of its own; return what they are."""
    made = set()
    with OrdinaryService("ordinary", *endpoints) as service:
        for _ in range(TRACES):
            with service.tracer.start_as_current_span("GET /") as root:
                children = [service.tracer.start_span(name) for name in ("query", "render")]
                for child in children:
                    child.end()
            for span in (root, *children):
                context = span.get_span_context()
                made.add((f"{context.trace_id:032x}", f"{context.span_id:016x}"))
    return made


def wait_for(members: list[Member], expected: set[tuple[str, str]]) -> None:
    """Block until all of these came out, by trace id and span id; fail if one came twice.

    Both are stopped then, which sends what they still hold.
    """
    one, two = members
    one.collector.wait_for(
        "something is missing", lambda: expected <= {*one.keys(), *two.keys()}, 60.0
    )
    for member in members:
        member.collector.stop()
    found = [*one.keys(), *two.keys()]
    assert len(set(found)) == len(found)


def test_all_spans_of_a_trace_meet(
    members: list[Member], balancers: list[ShippedCollector]
) -> None:
    """Sent one by one and by two ways, the spans of a trace come out of one Collector."""
    endpoints = [balancer.grpc_endpoint for balancer in balancers]

    wait_for(members, make_traces(*endpoints))

    one, two = (member.trace_ids() for member in members)
    assert one & two == set()
    assert len(one | two) == TRACES
    assert min(len(one), len(two)) > TRACES / 5


def test_an_incident_is_whole_over_both(
    members: list[Member], balancers: list[ShippedCollector], tmp_path: Path
) -> None:
    """Each trace of an incident comes out of one of the two, and all of them do."""
    scenario = run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": balancers[0].grpc_endpoint}
    )
    wait_for(members, {key(item) for item in [*scenario.ended, *scenario.open]})

    assert members[0].trace_ids() & members[1].trace_ids() == set()
    assert min(len(member.trace_ids()) for member in members) > 0


def test_one_that_is_away_loses_nothing_and_doubles_nothing(
    members: list[Member], balancers: list[ShippedCollector]
) -> None:
    """What is meant for a Collector that is down waits for it; the other gets its share once."""
    away = members[1].collector
    away.kill()

    made = make_traces(balancers[0].grpc_endpoint)
    members[0].collector.wait_for("nothing came", members[0].keys)
    away.start()

    wait_for(members, made)
    assert members[0].trace_ids() & members[1].trace_ids() == set()
