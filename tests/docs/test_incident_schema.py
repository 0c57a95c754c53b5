"""The JSON Schema on the page of the command line is that of what `show --json` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docs.generate_schema import SCHEMA, schema
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import run
from tests.support.incidents.rich_incident import rich_incident

COMMITTED = json.loads(SCHEMA.read_text(encoding="utf-8"))


def fields(document: Any) -> dict[str, tuple[set[str], set[str]]]:
    """Return the names in each definition, and those of them that are always there."""
    return {
        name: (set(each.get("properties", ())), set(each.get("required", ())))
        for name, each in document["$defs"].items()
    }


def test_it_has_all_fields() -> None:
    """How it is written may differ between releases of what makes it."""
    assert fields(COMMITTED) == fields(json.loads(schema())), "run `python -m docs.generate_schema`"


def test_an_incident_with_everything_is_as_it_says(tmp_path: Path, own_environment: Path) -> None:
    """What is printed is valid."""
    jsonschema: Any = pytest.importorskip("jsonschema")
    incident = rich_incident(own_environment)
    Spool(tmp_path / "spool", 1 << 30, 10).add(incident)

    found = run("show", "last", "--json").json()

    jsonschema.Draft202012Validator.check_schema(COMMITTED)
    jsonschema.validate(found, COMMITTED, cls=jsonschema.Draft202012Validator)
    assert found["events"]
    assert found["timeline"]["rows"]
