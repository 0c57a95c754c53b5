"""Which names are those of secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.redaction.secret_names import DEFAULT_PATTERNS, SecretNames


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "userPassword",
        "password2",
        "http.request.header.authorization",
        "http.request.header.x-api-key",
        "Set-Cookie",
        "clientSecret",
        "api key",
        "aws.secret.access.key",
        "csrfToken",
    ],
)
def test_names_of_secrets(name: str) -> None:
    """In every spelling that programs have for them."""
    assert SecretNames(DEFAULT_PATTERNS).is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["gen_ai.usage.input_tokens", "token_count", "session.id", "author", "cookie_consent", "key"],
)
def test_other_names(name: str) -> None:
    """They have a word in them that those of secrets have."""
    assert not SecretNames(DEFAULT_PATTERNS).is_secret(name)


def test_an_allowed_name_is_none() -> None:
    """The allow list is stronger than the patterns."""
    names = SecretNames(["*token"], ["page.*"])

    assert names.is_secret("token")
    assert not names.is_secret("page.token")
    assert names.is_allowed("page.token")


@given(
    pattern=st.sampled_from([*DEFAULT_PATTERNS, "*.iban", "a-b-c-four", "x?yzzy*"]),
    filler=st.text(st.characters(codec="ascii"), max_size=8),
    separator=st.sampled_from(["", "-", "_", ".", " "]),
    is_upper=st.booleans(),
)
def test_a_part_is_in_every_name(pattern: str, filler: str, separator: str, is_upper: bool) -> None:
    """So a name without any of the parts need not be compared with the patterns."""
    names = SecretNames([pattern])
    name = pattern.replace("*", filler).replace("?", "q").replace("-", separator)
    name = name.upper() if is_upper else name
    parts = names.parts()

    assert parts is not None
    assert names.is_secret(name)
    assert any(part in name.lower() for part in parts)
