"""The tables of records say what the record types say."""

from __future__ import annotations

import msgspec
import pytest

from docs import generate_records as generator

PAGE = generator.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_record_types() -> None:
    """Every kind with all its fields is on the page, each where it stands in the bytes."""
    assert PAGE.count(generator.BEGIN) == PAGE.count(generator.END) == 1
    assert generator.with_tables(PAGE) == PAGE, "run `python -m docs.generate_records`"


@pytest.mark.parametrize(
    "struct", [*generator.record_types(), *generator.PARTS], ids=lambda each: each.__name__
)
def test_every_field_says_what_it_means(struct: type[msgspec.Struct]) -> None:
    """The string under a field is what stands on the page: none is missing, or broken off."""
    meanings = generator.docstrings_under_fields(struct)

    assert set(struct.__struct_fields__) <= meanings.keys()
    assert all(meaning.endswith((".", "…")) for meaning in meanings.values())
