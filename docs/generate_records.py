"""Write the tables of records in `reference/flight-file.md` from the record types themselves.

Run it as `python -m docs.generate_records` after changing a field or the docstring under it; a test
compares the committed page with what this makes.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from otel_flight.records import incident_records, records
from otel_flight.records.layout import kind_of, position

PAGE: Final = Path(__file__).parent / "reference" / "flight-file.md"

BEGIN: Final = "<!-- The tables of records begin here, made by docs/generate_records.py. -->\n"
END: Final = "<!-- The tables of records end here. -->\n"

MODULES: Final = (records, incident_records)
"""Where the types of records are."""

PARTS: Final = (records.Event, records.Link, records.Frame)
"""What stands in records, and is no record itself."""

_TYPE_WORDS: Final = {int: "integer", str: "string", dict: "map", type(None): "nil"}


def with_tables(page: str) -> str:
    """Return the page with the tables between its two marks as they should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{''.join(_tables())}\n{END}{after}"


def record_types() -> list[type[msgspec.Struct]]:
    """Return the types of records, by their kinds."""
    return sorted(get_args(records.Record), key=kind_of)


def _tables() -> Iterator[str]:
    yield "\n| kind | | |\n|---|---|---|\n"
    for each in record_types():
        yield f"| {kind_of(each)} | `{each.__name__}` | {_sentence(each)} |\n"
    for each in record_types():
        above: Any = each.__base__
        if each.__struct_fields__ == above.__struct_fields__:
            continue  # the same fields as another kind
        yield f"\n#### Kind {kind_of(each)}: {each.__name__}\n{''.join(_table(each))}"
    for each in PARTS:
        yield f"\n#### In records: {each.__name__}\n{''.join(_table(each))}"


def _table(struct: type[msgspec.Struct]) -> Iterator[str]:
    meanings = docstrings_under_fields(struct)
    hints = get_type_hints(struct)
    yield "\n| at | field | type | if missing | |\n|---|---|---|---|---|\n"
    for field in msgspec.structs.fields(struct):
        at = position(struct, field.name)
        kind = _type_words(hints[field.name])
        yield f"| {at} | `{field.name}` | {kind} | {_default(field)} | {meanings[field.name]} |\n"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return {None: "nil", "": "empty", (): "empty"}.get(field.default, str(field.default))
    return "" if field.default_factory is msgspec.NODEFAULT else "empty"


def _type_words(hint: Any) -> str:
    """Return a type as msgpack has it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return " or ".join(map(_type_words, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"array of {_item_words(arguments[0])}"
    if origin is tuple:
        return f"array of {', '.join(map(_type_words, arguments))}"
    return _TYPE_WORDS[origin or hint]


def _item_words(hint: Any) -> str:
    """Return the type of an array's items: a part of records, or one of msgpack's."""
    is_part = isinstance(hint, type) and issubclass(hint, msgspec.Struct)
    return f"`{hint.__name__}`" if is_part else f"{_type_words(hint)}s"


def _sentence(struct: type[msgspec.Struct]) -> str:
    return " ".join(str(struct.__doc__).split())


def docstrings_under_fields(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return, for each field of a struct and of those it inherits, the string that follows it."""
    names = {each.__name__ for each in struct.__mro__}
    found = {}
    nodes = [node for module in MODULES for node in ast.parse(inspect.getsource(module)).body]
    for node in nodes:
        if not isinstance(node, ast.ClassDef) or node.name not in names:
            continue
        for field, below in pairwise(node.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(below.value.value).split())
    return found


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
