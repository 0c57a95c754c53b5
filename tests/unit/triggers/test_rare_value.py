"""The trigger for values that no local root had in the last hour."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_flight.testing import FakeClock
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.rare_value import LEAST_ROOTS, MOST_VALUES, RareValueTrigger
from tests.support.spans.made_span import SPAN_ID, TRACE_ID, made_span

STATUS = "http.response.status_code"


class Watch:
    """The trigger with a clock of our own."""

    def __init__(self, *names: str) -> None:
        self.clock = FakeClock()
        self.inbox = FiringInbox()
        self.trigger = RareValueTrigger(names or (STATUS, "tenant"), self.inbox, self.clock)

    def end(self, times: int = 1, **attributes: Any) -> list[Firing]:
        """Let roots end, with underscores for the dots of names; return what was fired."""
        named = {name.replace("__", "."): value for name, value in attributes.items()}
        for _ in range(times):
            self.trigger.root_ended(made_span(attributes=named), None)
        return self.inbox.take_all()


def test_the_first_of_its_kind_fires() -> None:
    """Once it is known what is usual, and once."""
    watch = Watch()
    assert watch.end(LEAST_ROOTS, tenant="a") == []

    (firing,) = watch.end(tenant="b")

    assert (firing.trigger, firing.reason) == ("rare_value", "rare tenant")
    assert firing.fingerprint == ("rare_value", "tenant", "b")
    assert (firing.trace_id, firing.span_id) == (TRACE_ID, SPAN_ID)
    assert firing.attributes == {"flight_recorder.rare_value": "b"}
    assert watch.end(tenant="b") == []
    assert watch.end(tenant="a") == []


def test_nothing_is_rare_at_first() -> None:
    """A service has to be known before something about it is unusual."""
    watch = Watch()

    assert [watch.end(tenant=str(number)) for number in range(LEAST_ROOTS)] == [[]] * LEAST_ROOTS


def test_what_was_not_seen_for_an_hour_is_rare_again() -> None:
    """Not what was seen within it, however seldom."""
    watch = Watch()
    watch.end(LEAST_ROOTS, tenant="a")
    watch.end(tenant="b")
    watch.clock.advance(3500)
    assert watch.end(tenant="b") == []
    watch.clock.advance(3500)
    assert watch.end(tenant="b") == []

    watch.clock.advance(3700)

    (firing,) = watch.end(tenant="b")
    assert firing.fingerprint[-1] == "b"


def test_roots_without_the_attribute_do_not_matter() -> None:
    """Nor do other attributes."""
    watch = Watch()
    watch.end(LEAST_ROOTS, tenant="a")

    assert watch.end() == []
    assert watch.end(user="x") == []


@pytest.mark.parametrize(("usual", "rare"), [(200, 418), (True, False), ("a", ""), (1.5, (1, 2))])
def test_values_of_any_type(usual: Any, rare: Any) -> None:
    """They are compared as text."""
    watch = Watch()
    watch.end(LEAST_ROOTS, tenant=usual)

    (firing,) = watch.end(tenant=rare)

    assert firing.attributes == {"flight_recorder.rare_value": str(rare)}


def test_an_attribute_has_several_names() -> None:
    """Those that the conventions gave it over the years."""
    watch = Watch(STATUS)
    watch.end(LEAST_ROOTS, http__status_code=200)

    assert watch.end(http__response__status_code=200) == []
    (firing,) = watch.end(http__status_code=500)
    assert firing.reason == "rare http.status_code"


def test_an_attribute_with_too_many_values_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """The id of a user is no category; memory stays bounded, and the others are watched on."""
    watch = Watch()
    for number in range(MOST_VALUES + 500):
        watch.end(tenant=number, **{STATUS.replace(".", "__"): 200})
    watch.inbox.take_all()

    with caplog.at_level(logging.WARNING, "otel_flight"):
        watch.trigger.watch()
        watch.trigger.watch()

    (record,) = caplog.records
    assert "watches tenant for rare values no longer" in record.getMessage()
    assert watch.end(tenant="new") == []
    assert watch.end(**{STATUS.replace(".", "__"): 500}) != []


def test_many_values_over_days_are_no_reason_to() -> None:
    """The oldest are forgotten."""
    watch = Watch()
    for number in range(3 * MOST_VALUES):
        watch.end(tenant=number)
        watch.clock.advance(5)
    watch.inbox.take_all()

    assert watch.end(tenant="new") != []
