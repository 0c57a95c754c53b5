"""Whichever way a span is recorded, the same is taken out of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_flight.recording.encoding.fast_encoder import span_encoder
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.recording.encoding.span_encoder import SpanEncoder
from otel_flight.recording.ordinary_spans import is_written
from otel_flight.redaction.redactor import Redactor
from tests.support.rigs.recording_rig import RecordingRig
from tests.support.spans.secret_corpus import ordinary_values, secrets

_encode = msgspec.msgpack.Encoder().encode
_LIMIT = 4096
_TEXTS = [each.text for each in secrets()]
_ORDINARY = [value for _, value in ordinary_values() if isinstance(value, str)][:400]
_PIECES = [
    "password",
    "pwd",
    "token",
    "secret",
    "api_key",
    "cookie",
    "authorization",
    "bearer",
    "basic",
    "eyJ",
    "AKIA",
    "sk-",
    "ghp_",
    "://",
    "@",
    "4111111111111111",
    "4111-1111-1111-1111",
    "=",
    ":",
    "'",
    '"',
    '\\"',
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    ",",
    ";",
    "&",
    "?",
    "--",
    "/",
    "identified",
    "by",
    "AUTH",
    "\n",
    "5",
    "%3D",
    "like",
    "in",
    "K",
    "\u017f",
    "ß",
    "…",
    "user",
]

texts = st.lists(
    st.sampled_from(_PIECES) | st.sampled_from(_TEXTS) | st.text(max_size=6), max_size=8
).flatmap(lambda pieces: st.sampled_from(["", " ", "x"]).map(lambda joint: joint.join(pieces)))
names = st.sampled_from([each.name for each in secrets()]) | texts
values = texts | st.sampled_from(_ORDINARY) | st.integers(0, 1 << 63) | st.booleans()
attributes = st.dictionaries(names, values | st.lists(texts, max_size=4), max_size=5)


@given(attributes=attributes)
def test_all_that_is_taken_out_has_a_telltale(attributes: dict[str, Any]) -> None:
    """Both in C and in Python: what is not suspected would have been left as it is."""
    for redactor in (Redactor(), Redactor(is_compiled=False)):
        if redactor.value(attributes) != attributes:
            assert redactor.suspects(_encode(attributes))


@given(attributes=attributes)
def test_what_was_taken_out_is_not_taken_out_again(attributes: dict[str, Any]) -> None:
    """What stands in its place is no secret; so a record may come by twice."""
    redactor = Redactor()
    clean = redactor.value(attributes)

    assert redactor.value(redactor.value(clean)) == redactor.value(clean)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    directory: Path = tmp_path_factory.mktemp("ring")
    with RecordingRig(directory) as rig:
        rig.collect_ended()
        yield rig


@given(name=texts, attributes=attributes, event=attributes, status=st.none() | texts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_ways_make_the_same_record(
    rig: RecordingRig, name: str, attributes: Any, event: Any, status: str | None
) -> None:
    """That of C is not changed by what is in Python, and the two that are in Python agree."""
    span: Any = rig.tracer.start_span(name, attributes=attributes)
    if status is not None:
        span.add_event(name, event)
        span.set_attribute("status", status)
    span.end()
    ended = rig.ended.spans.pop()
    fast = span_encoder(ScopeTable(), _LIMIT, Redactor())
    portable = SpanEncoder(ScopeTable(), _LIMIT, Redactor(is_compiled=False))
    plain = span_encoder(ScopeTable(), _LIMIT)

    assert fast.encode_end(ended)[0] == portable.encode_end(ended)[0]
    if rig.session.writers is not None and is_written(rig.session.writers.write, ended):
        assert plain.encode_end(ended)[0] == fast.encode_end(ended)[0]
