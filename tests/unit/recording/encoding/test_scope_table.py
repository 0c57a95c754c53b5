"""Scopes and resources are numbered, defined within bounds, and bounded in number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_flight.recording.encoding.scope_table import MAX_SCOPES, ScopeTable
from otel_flight.records.decoder import decode_records
from otel_flight.records.records import ResourceDefinition, ScopeDefinition
from otel_flight.ring.layout import MAX_RESOURCE_BYTES, MAX_SCOPE_BYTES

RESOURCE = Resource({"service.name": "shop", "process.pid": 7}, "https://schema/1")


def defined(table: ScopeTable, number: int) -> tuple[ScopeDefinition, ResourceDefinition]:
    """Return the decoded definition of a scope number."""
    definition = table.definition(number)
    assert definition is not None
    assert definition.parent is not None
    assert len(definition.record) <= MAX_SCOPE_BYTES
    assert len(definition.parent.record) <= MAX_RESOURCE_BYTES
    (resource,) = decode_records(definition.parent.record, 1).records
    (scope,) = decode_records(definition.record, 1).records
    assert isinstance(scope, ScopeDefinition)
    assert isinstance(resource, ResourceDefinition)
    assert (scope.number, scope.resource) == (number, resource.number)
    return scope, resource


def test_a_definition_says_all_of_a_scope_and_its_resource() -> None:
    """Name, version, schema and attributes of both come back."""
    table = ScopeTable()
    scope = InstrumentationScope("lib", "1.2", "https://schema/2", {"team": "a", "tags": ("x",)})

    found, resource = defined(table, table.add(scope, RESOURCE).number)

    assert (found.name, found.version, found.schema_url) == ("lib", "1.2", "https://schema/2")
    assert found.attributes == {"team": "a", "tags": ["x"]}
    assert resource.attributes == {"service.name": "shop", "process.pid": 7}
    assert resource.schema_url == "https://schema/1"


def test_spans_without_scope_or_resource_have_a_definition_as_well() -> None:
    """Neither is required of a span."""
    table = ScopeTable()

    scope, resource = defined(table, table.add(None, None).number)

    assert (scope.name, scope.version, scope.attributes) == ("", None, None)
    assert resource.attributes == {}


def test_attributes_are_read_without_their_lock() -> None:
    """In a forked child it is locked for ever, if another thread of the parent's was reading."""
    attributes: Any = BoundedAttributes(attributes={"team": "a"}, immutable=False)
    owner = SimpleNamespace(name="lib", _attributes=attributes, attributes=attributes)
    table = ScopeTable()
    with ThreadPoolExecutor(1) as reader, attributes._lock:
        number = reader.submit(table.add, owner, owner).result(5).number

    scope, resource = defined(table, number)

    assert scope.attributes == resource.attributes == {"team": "a"}


def test_equal_scopes_have_one_number() -> None:
    """Older SDKs make a new scope object whenever a tracer is asked for, for every span, say."""
    table = ScopeTable()
    scopes = [InstrumentationScope("lib", "1.0") for _ in range(5 * MAX_SCOPES)]

    numbers = {table.add(scope, RESOURCE).number for scope in scopes}

    assert len(numbers) == 1
    assert len(table.entries) <= MAX_SCOPES


@pytest.mark.parametrize(
    "other",
    [
        InstrumentationScope("other", "1.0"),
        InstrumentationScope("lib", "2.0"),
        InstrumentationScope("lib", "1.0", "https://schema"),
        InstrumentationScope("lib", "1.0", attributes={"a": 1}),
    ],
    ids=["name", "version", "schema", "attributes"],
)
def test_scopes_that_differ_have_different_numbers(other: InstrumentationScope) -> None:
    """Each part of a scope counts."""
    table = ScopeTable()

    assert (
        table.add(InstrumentationScope("lib", "1.0"), RESOURCE).number
        != table.add(other, RESOURCE).number
    )


def test_one_scope_of_two_resources_has_two_numbers() -> None:
    """Two providers in one process may share a scope object."""
    table = ScopeTable()
    scope = InstrumentationScope("lib", "1.0")

    first = table.add(scope, RESOURCE).number
    second = table.add(scope, Resource({"service.name": "other"})).number

    assert defined(table, first)[1].attributes["service.name"] == "shop"
    assert defined(table, second)[1].attributes["service.name"] == "other"
    assert table.add(scope, RESOURCE).number == first


def test_a_forgotten_object_is_not_taken_for_another_at_its_address() -> None:
    """What the table knows by `id` it also holds, so that no other object gets that id."""
    table = ScopeTable()
    names = []
    for number in range(50):
        entry = table.add(InstrumentationScope(f"lib {number}"), Resource({"n": number}))
        found, resource = defined(table, entry.number)
        names.append((found.name, resource.attributes["n"]))

    assert names == [(f"lib {number}", number) for number in range(50)]


def test_the_table_is_bounded() -> None:
    """A program that never stops making different scopes finds the last thousand defined."""
    table = ScopeTable()
    numbers = [
        table.add(InstrumentationScope(f"lib {number}"), RESOURCE).number
        for number in range(4 * MAX_SCOPES)
    ]

    known = [number for number in numbers if table.definition(number) is not None]
    assert known == numbers[-len(known) :]
    assert MAX_SCOPES <= len(known) <= 2 * MAX_SCOPES
    assert len(table.entries) <= MAX_SCOPES


def test_the_newest_resource_is_known() -> None:
    """The service's name is learned from the first span."""
    table = ScopeTable()
    assert table.newest_resource() is None

    table.add(None, RESOURCE)

    assert table.newest_resource() is RESOURCE


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        (5, 1.0, ("5", "1.0")),
        ("lib", (1, 2), ("lib", "<tuple>")),
        ("\ud800", None, ("\\ud800", None)),
        (None, list(range(100_000)), ("", "<list>")),
        (object, "x" * 100_000, ("<class 'object'>", None)),
    ],
    ids=["numbers", "tuple", "surrogate", "huge-list", "huge-text"],
)
def test_odd_names_and_versions_become_text(
    name: Any, version: Any, expected: tuple[str, str | None]
) -> None:
    """The API takes any object; the scope stays readable and within its bounds."""
    table = ScopeTable()

    scope, _ = defined(table, table.add(InstrumentationScope(name, version), RESOURCE).number)

    assert scope.name == expected[0]
    if expected[1] is not None or version is None:
        assert scope.version == expected[1]


def test_a_large_resource_is_cut_and_keeps_what_is_short() -> None:
    """A command line of a megabyte does not cost the service its name."""
    table = ScopeTable()
    resource = Resource({"process.command_args": ["x" * 1000] * 1000, "service.name": "shop"})

    _, found = defined(table, table.add(None, resource).number)

    assert found.attributes["service.name"] == "shop"
    assert found.attributes["process.command_args"][0].startswith("xxx")


def test_very_many_attributes_of_a_resource_are_left_out_with_a_mark() -> None:
    """What cannot be made to fit is left out, and the definition says so."""
    table = ScopeTable()
    resource = Resource({f"key {number}": number for number in range(10_000)})

    _, found = defined(table, table.add(None, resource).number)

    assert found.attributes == {"…": "[+10000 items]"}
