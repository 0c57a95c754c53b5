"""The errors, and the sentences they write."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from otel_flight import errors
from otel_flight.errors import (
    AmbiguousIncident,
    CannotRecord,
    DamagedIncident,
    DeliveryFailed,
    FlightError,
    IncidentNotFound,
    InvalidQuantity,
    InvalidSetting,
    MissingExtra,
    NewerIncident,
    NotAnIncident,
    NotARing,
    RecorderStopped,
    RingUnavailable,
    ServiceNotFound,
    SpoolUnavailable,
    UnknownSetting,
)

SENTENCES: list[tuple[FlightError, str]] = [
    (
        CannotRecord("the setting `enabled` is off"),
        "nothing can be recorded: the setting `enabled` is off",
    ),
    (InvalidQuantity("5", "has no unit: write 5s or 5ms"), "'5' has no unit: write 5s or 5ms"),
    (
        InvalidSetting("open_spans", 3, "a whole number from 16 to 1000000"),
        "open_spans cannot be 3: give a whole number from 16 to 1000000",
    ),
    (
        InvalidSetting("tail_seconds", "5", "a duration from 0s to 1m", "it has no unit"),
        "tail_seconds cannot be '5' (it has no unit): give a duration from 0s to 1m",
    ),
    (
        UnknownSetting("window", ["window_bytes", "window_seconds", "metrics"]),
        "there is no setting 'window': did you mean window_bytes or window_seconds?",
    ),
    (
        UnknownSetting("A_B_XYZ", ["A_B_WINDOW", "A_B_METRICS"]),
        "there is no setting 'A_B_XYZ': see the configuration reference",
    ),
    (
        RingUnavailable(Path("/dev/shm/x"), "it belongs to another user"),
        (
            "no ring can be kept at /dev/shm/x: it belongs to another user; set "
            "OTEL_FLIGHT_RING_DIRECTORY to a writable directory of your own with room for "
            "OTEL_FLIGHT_WINDOW_BYTES"
        ),
    ),
    (
        NotARing("/tmp/a", "its first bytes are not a ring's"),
        (
            "/tmp/a is not a readable ring: its first bytes are not a ring's; name a file written "
            "by the flight recorder"
        ),
    ),
    (
        NewerIncident("/tmp/a", "version 9 of the format, 1 is known"),
        (
            "/tmp/a was written by a newer otel-flight: version 9 of the format, 1 is known; "
            "update this one"
        ),
    ),
    (
        NotAnIncident("/tmp/a", "it is empty"),
        "/tmp/a is not a readable incident: it is empty; name a .flight file of a spool",
    ),
    (
        DamagedIncident("/tmp/a", "it ends too soon"),
        ("/tmp/a is not a readable incident: it ends too soon; name a .flight file of a spool"),
    ),
    (
        SpoolUnavailable("/var/spool", "it belongs to user 7"),
        "no incidents can be kept in /var/spool: it belongs to user 7",
    ),
    (
        IncidentNotFound("abc", "/var/spool"),
        "no incident 'abc' in /var/spool: `otel-flight list` shows what is there",
    ),
    (
        AmbiguousIncident("a", ["ab", "ac"]),
        "'a' fits 2 incidents: give more of the id of one of ab, ac",
    ),
    (
        ServiceNotFound("shop", ["cart"], "/dev/shm/x"),
        (
            "no running service 'shop' in /dev/shm/x (found cart): check the name, or set "
            "OTEL_FLIGHT_RING_DIRECTORY to the directory the service uses"
        ),
    ),
    (
        ServiceNotFound("shop", [], "/dev/shm/x"),
        (
            "no running service 'shop' in /dev/shm/x (nothing is recorded there): check the name, "
            "or set OTEL_FLIGHT_RING_DIRECTORY to the directory the service uses"
        ),
    ),
    (
        RecorderStopped("take a snapshot"),
        "cannot take a snapshot: the flight recorder is not running; call start() first",
    ),
    (
        MissingExtra("cli", "the command line"),
        (
            "packages needed for the command line are not installed: run `pip install "
            "'otel-flight[cli]'`"
        ),
    ),
    (
        DeliveryFailed("localhost:4317", "connection refused"),
        (
            "no delivery to localhost:4317: connection refused; the incident stays in the spool: "
            "check the endpoint and run `otel-flight export` again"
        ),
    ),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_an_error_writes_its_own_sentence(error: FlightError, sentence: str) -> None:
    """The message says what happened, with the offending value, and what to do."""
    assert str(error) == sentence


@pytest.mark.parametrize("error", [error for error, _ in SENTENCES])
def test_an_error_survives_pickling(error: FlightError) -> None:
    """An error that crosses a process boundary keeps its class, its sentence and its facts."""
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_every_error_has_a_sentence_tested_here() -> None:
    """No class of the tree is left out above, and all of them are flight errors."""
    classes = {getattr(errors, name) for name in errors.__all__}

    assert classes - {FlightError} == {type(error) for error, _ in SENTENCES}
    assert all(issubclass(each, FlightError) for each in classes)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InvalidSetting("a", 1, "b"), ValueError),
        (InvalidQuantity("a", "b"), ValueError),
        (UnknownSetting("a", []), TypeError),
        (RingUnavailable("a", "b"), OSError),
        (IncidentNotFound("a", "b"), LookupError),
        (RecorderStopped("a"), RuntimeError),
        (MissingExtra("a", "b"), ImportError),
    ],
)
def test_an_error_is_also_what_python_calls_it(
    error: FlightError, builtin: type[Exception]
) -> None:
    """Code that knows nothing of us catches our errors where it would catch its own."""
    assert isinstance(error, builtin)


def test_a_long_value_is_cut_in_the_message() -> None:
    """A value of a megabyte does not make a message of a megabyte."""
    message = str(InvalidSetting("endpoint", "x" * 1_000_000, "a URL"))

    assert len(message) < 300
    assert "…[+999802 characters]" in message


def test_many_ids_are_cut_in_the_message() -> None:
    """Of a thousand incidents that fit, ten are named."""
    message = str(AmbiguousIncident("a", [f"a{n}" for n in range(1000)]))

    assert message.endswith("a8, a9 and 990 more")
