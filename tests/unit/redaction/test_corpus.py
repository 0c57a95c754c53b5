"""What is a secret is taken out of a record, and what is none stays."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from otel_flight.redaction.redactor import Redactor
from tests.support.spans.secret_corpus import (
    ORDINARY_VALUES,
    SECRETS,
    Secret,
    ordinary_values,
    secrets,
)

_encode = msgspec.msgpack.Encoder().encode


@pytest.fixture(params=[True, False], ids=["compiled", "portable"])
def redactor(request: pytest.FixtureRequest) -> Redactor:
    """A redactor with what is known, which looks for telltales in C or in Python."""
    made = Redactor(is_compiled=request.param)
    if request.param and made.compiled is None:
        pytest.skip("nothing is compiled here")
    return made


def places_of(secret: Secret) -> list[Any]:
    """Return attributes, items and texts that have a secret in them."""
    return [
        {secret.name: secret.value},
        {"exception.message": secret.text},
        {"texts": [secret.text, "other"]},
        {"message": f"failed: {secret.text!r}, tried twice"},
        {"message": repr({secret.name: secret.value})},
        {"data": secret.text.encode()},
        secret.text,
    ]


def test_no_secret_is_left(redactor: Redactor) -> None:
    """Whatever it is in: an attribute, a list, a message, a `repr`, bytes, a name."""
    corpus = secrets()

    left = [
        place
        for secret in corpus
        for place in places_of(secret)
        if secret.core.encode() in redactor.record(_encode(["span", place]))
    ]

    assert len(corpus) == SECRETS
    assert left == []


def test_ordinary_values_stay(redactor: Redactor) -> None:
    """Ids, hashes, numbers, paths, SQL, images, code, and what people write of passwords."""
    ordinary = list(ordinary_values())

    taken = [
        (name, value)
        for name, value in ordinary
        if redactor.record(data := _encode(["span", {name: value}])) != data
    ]

    assert len(ordinary) == ORDINARY_VALUES
    assert taken == []
