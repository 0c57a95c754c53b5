"""Write the JSON Schema of what `otel-flight show --json` prints, from the types themselves.

Run it as `python -m docs.generate_schema` after changing one of them; a test compares the
committed schema with what this makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

from otel_flight.cli.incident_document import IncidentDocument

SCHEMA: Final = Path(__file__).parent / "reference" / "incident.schema.json"


def schema() -> str:
    """Return the schema as it should be."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An incident of otel-flight",
        **msgspec.json.schema(IncidentDocument),
    }
    return json.dumps(made, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
