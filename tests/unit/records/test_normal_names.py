"""Names of one kind become one name; what tells kinds apart stays."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.records.normal_names import MOST_CHARACTERS, normal_name


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("GET /user/123", "GET /user/{id}"),
        ("GET /user/123/orders/7", "GET /user/{id}/orders/{id}"),
        ("GET /user/123.json", "GET /user/{id}.json"),
        ("GET /user-9", "GET /user-{id}"),
        ("GET /u/user123", "GET /u/user{id}"),
        ("task_42", "task_{id}"),
        ("GET /o/550e8400-e29b-41d4-a716-446655440000", "GET /o/{id}"),
        ("GET /o/550E8400E29B41D4A716446655440000/x", "GET /o/{id}/x"),
        ("GET /doc/507f1f77bcf86cd799439011", "GET /doc/{id}"),
        ("GET /commit/7821e18", "GET /commit/{id}"),
        ("GET /ulid/01ARZ3NDEKTSV4RRFFQ69G5FAV", "GET /ulid/{id}"),
        ("at 0x7f3a", "at {id}"),
        ("report 2026-11-29", "report {id}-{id}-{id}"),
        ("GET /api/v1/users", "GET /api/v1/users"),
        ("s3.GetObject", "s3.GetObject"),
        ("oauth2 token", "oauth2 token"),
        ("GET /deadbeef", "GET /deadbeef"),
        ("GET /user/{user_id}", "GET /user/{user_id}"),
        ("", ""),
        ("größe 12 ✓", "größe {id} ✓"),
    ],
)
def test_what_varies_is_taken_out(name: str, normal: str) -> None:
    """Ids go, words and versions stay."""
    assert normal_name(name) == normal


@given(st.integers(0, 1 << 70), st.uuids())
def test_numbers_and_uuids_are_one_kind(number: int, one: uuid.UUID) -> None:
    """Whatever the number."""
    assert normal_name(f"GET /item/{number}/x") == "GET /item/{id}/x"
    assert normal_name(f"GET /item/{one}") == "GET /item/{id}"


@given(st.text())
def test_a_normal_name_is_its_own(name: str) -> None:
    """Once is enough, and no name grows without bound."""
    normal = normal_name(name)
    assert normal_name(normal) == normal or len(name) > MOST_CHARACTERS
    assert len(normal) <= 4 * MOST_CHARACTERS
