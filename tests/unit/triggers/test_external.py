"""The trigger for requests of other processes."""

from __future__ import annotations

from typing import Any

import pytest

from otel_flight.triggers.external import answer_external_request
from otel_flight.triggers.gate.firing import Firing


class Box:
    """Where requests stand."""

    def __init__(self, request: dict[str, Any] | None) -> None:
        self.request = request
        self.answers: list[dict[str, Any]] = []

    def take_request(self) -> dict[str, Any] | None:
        """Return the request, until it is answered."""
        return self.request

    def answer_request(self, answer: dict[str, Any]) -> None:
        """Answer it."""
        self.request = None
        self.answers.append(answer)


def asked(request: dict[str, Any] | None) -> tuple[list[Firing], list[dict[str, Any]]]:
    """Return what was fired for a request, and what was answered."""
    box, fired = Box(request), []

    def fire(firing: Firing) -> dict[str, Any]:
        fired.append(firing)
        return {"outcome": "opened", "incident_id": "7"}

    answer_external_request(box, fire)
    answer_external_request(box, fire)
    return fired, box.answers


def test_a_request_fires_and_is_answered_once() -> None:
    """The one who asked learns what became of it."""
    (firing,), answers = asked({"reason": "deploy", "attributes": {"version": "1.2"}})

    assert (firing.trigger, firing.reason) == ("external", "deploy")
    assert firing.fingerprint == ("external", "deploy")
    assert firing.attributes == {"version": "1.2"}
    assert answers == [{"outcome": "opened", "incident_id": "7"}]


def test_without_a_request_nothing_happens() -> None:
    """At nearly every tick."""
    assert asked(None) == ([], [])


@pytest.mark.parametrize(
    "request_fields",
    [
        {},
        {"reason": None, "attributes": None},
        {"reason": "", "attributes": [1]},
        {"reason": 0, "attributes": "text"},
    ],
)
def test_a_request_without_a_reason_fires_too(request_fields: dict[str, Any]) -> None:
    """Whoever asked, asked for something."""
    (firing,), answers = asked(request_fields)

    assert (firing.reason, firing.attributes) == ("external request", {})
    assert len(answers) == 1


def test_odd_values_are_made_fit_for_a_file() -> None:
    """JSON can hold what neither msgpack nor UTF-8 can."""
    (firing,), _ = asked({"reason": "\ud800", "attributes": {"n": 1 << 90, "\udcff": [1]}})

    assert firing.reason == "\\ud800"
    assert firing.attributes == {"n": hex(1 << 90), "\\udcff": [1]}


def test_a_failure_is_an_answer_as_well() -> None:
    """Else the request would be taken again at each tick, and block all that come after it."""
    box = Box({"reason": "deploy"})

    def fail(firing: Firing) -> dict[str, Any]:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        answer_external_request(box, fail)
    assert box.answers == [{"outcome": "failed", "incident_id": None}]
