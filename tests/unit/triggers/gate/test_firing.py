"""Firings, and the box in which they wait."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.triggers.base import glob_matcher, name_of
from otel_flight.triggers.gate.firing import MAX_WAITING, Firing, FiringInbox
from otel_flight.triggers.manual import manual_firing
from tests.support.rigs.recording_rig import EndedSpans
from tests.support.spans.made_span import made_span


def firing(cause: str = "cause", **fields: Any) -> Firing:
    """Return a firing of some cause."""
    known: dict[str, Any] = {"trigger": "t", "reason": "r", "subject": "s", "time_ns": 7}
    return Firing(**{**known, **fields}, fingerprint=("t", cause))


class TestInbox:
    """From any thread to the ticker."""

    def test_firings_are_taken_in_the_order_they_came(self) -> None:
        """Each is taken once."""
        inbox = FiringInbox()
        for cause in "abc":
            inbox.offer(firing(cause))

        assert [each.fingerprint[1] for each in inbox.take_all()] == ["a", "b", "c"]
        assert inbox.take_all() == []

    def test_a_cause_that_waits_already_is_counted(self) -> None:
        """Until it was taken; then it may wait again."""
        inbox = FiringInbox()
        for _ in range(3):
            inbox.offer(firing())
        assert len(inbox.take_all()) == 1
        inbox.offer(firing())

        assert len(inbox.take_all()) == 1
        assert inbox.repeated == 2

    def test_what_there_is_no_room_for_is_counted(self) -> None:
        """A thousand causes at once do not fill the memory."""
        inbox = FiringInbox()
        for number in range(MAX_WAITING + 10):
            inbox.offer(firing(str(number)))

        assert len(inbox.take_all()) == MAX_WAITING
        assert inbox.dropped == 10

    def test_an_offer_that_was_cut_off_silences_nothing(self) -> None:
        """A signal handler may raise when the cause was noted and the firing is not there yet."""
        inbox = FiringInbox()
        inbox._fingerprints.add(firing().fingerprint)
        assert inbox.take_all() == []

        inbox.offer(firing())

        assert len(inbox.take_all()) == 1

    def test_threads_may_offer_while_the_ticker_takes(self) -> None:
        """Every firing is taken, repeated or dropped."""
        inbox = FiringInbox()
        start = threading.Barrier(5)

        def work(index: int) -> None:
            start.wait()
            for number in range(500):
                inbox.offer(firing(f"{index} {number % 50}"))

        threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        start.wait()
        taken = 0
        while any(thread.is_alive() for thread in threads):
            taken += len(inbox.take_all())
        taken += len(inbox.take_all())

        assert taken > 0
        assert taken + inbox.repeated + inbox.dropped >= 2000 - 4  # counts may race by a few
        assert inbox.take_all() == []


class TestCleaning:
    """What comes from the host, made fit for a file."""

    def test_what_is_ordinary_stays(self) -> None:
        """Cleaning changes nothing that needs no change."""
        ordinary = firing(attributes={"a": 1, "b": [True, None], "c": {"d": "x"}})

        assert ordinary.cleaned() == ordinary

    @pytest.mark.parametrize("time_ns", [7.5, "7", None, float("nan"), 1 << 80, [7]])
    def test_any_firing_can_be_written(self, time_ns: Any) -> None:
        """Half characters, huge numbers, foreign objects and odd times do not cost the incident."""
        odd = {"path": "\udcff", "n": 1 << 70, "o": object(), 5: "key", "long": "x" * 100_000}
        cleaned = firing(
            reason="\ud800", subject="x" * 5000, time_ns=time_ns, attributes=odd
        ).cleaned()

        data = msgspec.json.encode(cleaned)
        again = msgspec.json.decode(data, type=Firing)
        assert again == cleaned
        assert again.reason == "\\ud800"
        assert len(data) < 10_000

    def test_very_many_attributes_are_cut(self) -> None:
        """They are shown to people; nobody reads a thousand."""
        many = firing(attributes={str(number): number for number in range(1000)}).cleaned()

        assert len(many.attributes) == 257
        assert many.attributes["…"] == "[+744 items]"

    def test_what_is_taken_is_clean(self) -> None:
        """The application's thread only leaves it; the ticker cleans."""
        inbox = FiringInbox()
        inbox.offer(firing(reason="\ud800"))

        assert inbox.take_all()[0].reason == "\\ud800"


class TestManual:
    """What the program itself says."""

    def test_it_belongs_to_the_current_span(self) -> None:
        """The incident begins with the trace that was being worked on."""
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(EndedSpans())
        with provider.get_tracer("t").start_as_current_span("work") as span:
            made = manual_firing("deploy", {"version": "1.2"})

        context = span.get_span_context()
        assert (made.trace_id, made.span_id) == (context.trace_id, context.span_id)
        assert (made.trigger, made.reason) == ("manual", "deploy")
        assert made.attributes == {"version": "1.2"}

    def test_without_a_span_it_belongs_to_none(self) -> None:
        """A background job may fire as well."""
        made = manual_firing("deploy", {"object": object})

        assert (made.trace_id, made.span_id) == (0, 0)
        assert made.attributes == {"object": "<class 'object'>"}
        assert made.fingerprint == manual_firing("deploy", {}).fingerprint


@pytest.mark.parametrize(
    ("globs", "matching", "other"),
    [
        (["*"], ["", "anything"], []),
        (["GET /items/*", "POST *"], ["GET /items/1", "POST /x\ny"], ["GET /", "get /items/1"]),
        (["a.b"], ["a.b"], ["axb", "a.bc"]),
        ([], [], ["", "anything"]),
    ],
)
def test_globs_match_whole_names(globs: list[str], matching: list[str], other: list[str]) -> None:
    """Case counts, and dots are dots."""
    matches = glob_matcher(globs)

    assert all(matches(text) for text in matching)
    assert not any(matches(text) for text in other)


@pytest.mark.parametrize(("name", "expected"), [("GET /", "GET /"), (5, "5"), (None, "None")])
def test_any_name_is_a_text(name: Any, expected: str) -> None:
    """Whatever a span was called."""
    assert name_of(made_span(name)) == expected
