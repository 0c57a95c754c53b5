"""A request to another process: written once, answered once, never over an unanswered one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.errors import NotARing
from otel_flight.ring import layout
from otel_flight.ring.request import (
    GONE,
    NO_ANSWER,
    Reply,
    RingRequest,
    ask_for_incidents,
    encode_request,
)
from tests.support.incidents.incident_builder import IncidentBuilder

HOLD_LOCK = """
import fcntl, sys
from otel_flight.ring import layout
ring = open(sys.argv[1], "r+b")
fcntl.lockf(ring, fcntl.LOCK_EX, layout.REQUEST_BYTES, layout.REQUEST_OFFSET)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A process, which is this one, with a ring."""
    with IncidentBuilder(tmp_path / "ring") as owner:
        yield owner


@pytest.fixture
def request_to(owner: IncidentBuilder) -> Iterator[RingRequest]:
    """A request to it that was not advanced yet."""
    request = RingRequest(owner.ring_path, encode_request("deploy", {"version": "1.2"}))
    yield request
    request.close()


def test_the_owner_gets_the_request_and_the_requester_the_answer(
    owner: IncidentBuilder, request_to: RingRequest
) -> None:
    """Reason and attributes arrive, and what the gate said comes back."""
    assert request_to.advance() is None

    taken = owner.ring.take_request()
    owner.ring.answer_request({"outcome": "opened", "incident_id": "20260101-100000-3f9a1c"})

    assert taken is not None
    assert (taken["reason"], taken["attributes"]) == ("deploy", {"version": "1.2"})
    assert request_to.advance() == Reply(
        owner.ring_path, request_to.pid, "opened", "20260101-100000-3f9a1c"
    )
    assert owner.ring.take_request() is None


def test_numbers_of_requests_begin_again(owner: IncidentBuilder, request_to: RingRequest) -> None:
    """A ring that was damaged may have any number."""
    last = b"\xff" * layout.WORD
    with owner.ring_path.open("r+b") as ring:
        for word in (layout.W_REQUEST, layout.W_ANSWERED):
            ring.seek(word * layout.WORD)
            ring.write(last)

    assert request_to.advance() is None

    assert owner.ring.take_request() is not None


def test_a_refusal_has_no_incident(owner: IncidentBuilder, request_to: RingRequest) -> None:
    """What the gate refused is a reply like any other."""
    request_to.advance()
    owner.ring.take_request()
    owner.ring.answer_request({"outcome": "cooldown", "incident_id": None})

    reply = request_to.advance()

    assert reply is not None
    assert (reply.outcome, reply.incident_id) == ("cooldown", None)


def test_an_unanswered_request_is_not_overwritten(
    owner: IncidentBuilder, request_to: RingRequest
) -> None:
    """The request of someone who gave up waiting is answered first."""
    abandoned = RingRequest(owner.ring_path, encode_request("first", {}))
    abandoned.advance()
    abandoned.close()

    assert request_to.advance() is None
    first = owner.ring.take_request()
    owner.ring.answer_request({"outcome": "opened", "incident_id": "a"})
    assert request_to.advance() is None
    second = owner.ring.take_request()

    assert first is not None
    assert second is not None
    assert (first["reason"], second["reason"]) == ("first", "deploy")


def test_requesters_take_turns(owner: IncidentBuilder, request_to: RingRequest) -> None:
    """While another process holds the request's lock nothing is written; its end is enough."""
    command = [sys.executable, "-c", HOLD_LOCK, str(owner.ring_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"

        assert request_to.advance() is None
        assert owner.ring.take_request() is None
        other.kill()
        other.wait()

    request_to.advance()
    taken = owner.ring.take_request()
    assert taken is not None
    assert taken["reason"] == "deploy"


def test_an_owner_that_stops_ends_the_wait(owner: IncidentBuilder, request_to: RingRequest) -> None:
    """A process that ends without answering is said to be gone, at once."""
    request_to.advance()
    owner.close()

    reply = request_to.advance()

    assert reply is not None
    assert reply.outcome == GONE


def test_an_owner_that_does_not_answer_is_waited_for_no_longer_than_asked(
    owner: IncidentBuilder,
) -> None:
    """With external triggers off, the request simply stays unanswered."""
    replies = ask_for_incidents([owner.ring_path], "deploy", {}, timeout_seconds=0)

    assert [reply.outcome for reply in replies] == [NO_ANSWER]


def test_a_request_that_does_not_fit_is_refused_before_anything_is_written() -> None:
    """Reason and attributes have a thousand bytes together."""
    with pytest.raises(ValueError, match="only 1022 fit: shorten them"):
        encode_request("deploy", {"note": "x" * 1000})


@pytest.mark.parametrize("content", [b"", b"x" * 8192], ids=["empty", "another-format"])
def test_other_files_are_not_written_to(tmp_path: Path, content: bytes) -> None:
    """A file that is no ring is refused and left as it is."""
    path = tmp_path / "other.ring"
    path.write_bytes(content)

    with pytest.raises(NotARing):
        ask_for_incidents([path], "deploy", {}, timeout_seconds=0)
    assert path.read_bytes() == content
