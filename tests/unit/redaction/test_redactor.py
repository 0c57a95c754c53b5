"""What a redactor takes out of attributes, lists and texts, and what it leaves."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from otel_flight.redaction.known_secrets import REDACTED
from otel_flight.redaction.redactor import Redactor

_encode = msgspec.msgpack.Encoder().encode


@pytest.mark.parametrize(
    ("attributes", "clean"),
    [
        ({"password": "hunter"}, {"password": REDACTED}),
        ({"password": 1234}, {"password": REDACTED}),
        ({"password": ["a", "b"]}, {"password": REDACTED}),
        ({"auth": {"token": "abc"}}, {"auth": {"token": REDACTED}}),
        ({"http.cookie": True}, {"http.cookie": True}),
        ({"password": None}, {"password": None}),
        ({"password": ""}, {"password": ""}),
        ({"args": ["--token", "abc", "x"]}, {"args": ["--token", REDACTED, "x"]}),
        ({"pairs": [["cookie", "abc"]]}, {"pairs": [["cookie", REDACTED]]}),
        ({"data": b"password=abc"}, {"data": b"password=[redacted]"}),
        ({"data": b"\xffpassword=abc"}, {"data": b"\xffpassword=[redacted]"}),
        ({1: "password=abc"}, {1: "password=[redacted]"}),
    ],
)
def test_attributes(attributes: Any, clean: Any) -> None:
    """A name decides on its value; what only says whether there is a secret stays."""
    assert Redactor().value(attributes) == clean


def test_what_has_no_secret_is_the_same_object() -> None:
    """Nothing is copied, and no record is encoded again, for what only has a telltale."""
    redactor = Redactor()
    attributes = {"message": "the token expired", "tokens": 5, "texts": ["password", "x", "y"]}
    data = _encode(["span", attributes])

    assert redactor.value(attributes) is attributes
    assert redactor.record(data) is data
    assert redactor.suspects(data)


def test_the_structure_of_a_record_stays() -> None:
    """A span that is called as an option is does not lose its kind, which stands behind it."""
    record = [1, "--password", 2, ["password", 3], {}]

    assert Redactor().record(_encode(record)) == _encode(record)


def test_a_pattern_adds_names() -> None:
    """They are secret as attributes, and where they stand in a text."""
    redactor = Redactor(["*.iban", "customer-number"])
    record = ["span", {"payment.iban": "DE1", "customer_number": 7, "text": "x.iban=DE2; a=1"}]

    clean = msgspec.msgpack.decode(redactor.record(_encode(record)))

    expected = {"payment.iban": REDACTED, "customer_number": REDACTED}
    assert clean == ["span", {**expected, "text": "x.iban=[redacted]; a=1"}]


@pytest.mark.parametrize("pattern", ["*", "??", "pi"])
def test_a_pattern_without_three_letters_is_looked_at_everywhere(pattern: str) -> None:
    """Nothing tells of it in bytes, so all records are taken apart; nothing is in C."""
    redactor = Redactor([pattern])

    assert redactor.compiled is None
    assert redactor.record(_encode([{"pi": "3"}])) == _encode([{"pi": REDACTED}])


def test_there_may_be_many_patterns() -> None:
    """As many as an environment variable has room for."""
    redactor = Redactor([f"*name{number}-of-{number}*" for number in range(2000)])

    assert redactor.value({"name1999_of_1999": "a", "b": "c"})["b"] == "c"
    assert redactor.record(_encode([{"name1999_of_1999": "a"}])) != _encode(
        [{"name1999_of_1999": "a"}]
    )


def test_an_allowed_name_is_left_alone() -> None:
    """With all that is in its value, however it looks."""
    redactor = Redactor(allowed=["ci.token"])
    attributes = {"ci.token": "ghp_" + "a1" * 20, "token": "b"}

    assert redactor.value(attributes) == {**attributes, "token": REDACTED}


def test_what_is_remembered_is_bounded() -> None:
    """A program that makes names and texts without end does not make us grow."""
    redactor = Redactor()

    for number in range(5000):
        redactor.value({f"token {number} count": f"a token {number}", "x" * 300: "token" * 100})

    assert 0 < len(redactor._decided) <= 1024
    assert 0 < len(redactor._harmless) <= 1024


@pytest.mark.parametrize(
    "text",
    [
        "a" * 64_000,
        "abc_def " * 8_000,
        '"' * 64_000,
        "password='" * 6_400,
        "password=(" * 6_400,
        "--token " * 8_000,
        "<password>" * 6_400,
        "://" * 20_000,
        "eyJ" * 20_000,
        "insert into a(" * 4_500,
        "1234 " * 12_000,
        "bearer " * 9_000,
        "-----BEGIN PRIVATE KEY-----" * 2_300,
        "\\" * 64_000,
        "authorization: " * 4_000,
        "AUTH a " * 9_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    """The time is linear in the length of a text, whatever is in it."""
    begin = time.thread_time()

    Redactor().text(text)

    assert time.thread_time() - begin < 1.5


def test_a_long_text_is_cleaned_where_it_needs_to_be() -> None:
    """Around each telltale, as if it were short; keys of many lines, too."""
    noise = "nothing to see here, and more of the same\n" * 40
    lines = "\n".join("A" * 64 for _ in range(200))
    key = f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"
    cookies = "; ".join(f"name{number}=value{number}" for number in range(200))
    text = f"{noise}password=abc1\n{noise}token:\n  abc2\nCookie: {cookies}\n{key}{noise}pwd='abc3'"

    clean = Redactor().text(text)

    assert "AAA" not in clean
    assert "abc" not in clean
    assert "value" not in clean
    assert clean.count(REDACTED) == 5
    assert clean.count("nothing to see here") == 120


def test_a_long_text_without_lines_is_cleaned() -> None:
    """As what a program logs that writes JSON."""
    text = '{"a": "' + "x" * 50_000 + '", "password": "abc", "b": "' + "y " * 25_000 + '"}'

    assert Redactor().text(text) == text.replace("abc", REDACTED)
