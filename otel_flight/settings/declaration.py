"""How a field of the settings is written down: its environment variable, default and kind."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from otel_flight.settings.kinds import Kind

__all__ = ["ENVIRONMENT_PREFIX", "setting_field"]

ENVIRONMENT_PREFIX = "OTEL_FLIGHT_"

_T = TypeVar("_T")


def setting_field(variable: str, default: _T, kind: Kind) -> _T:
    """Return the dataclass field of a setting.

    Args:
        variable: its environment variable without the prefix.
        default: its value when nothing else is said.
        kind: what it can be.
    """
    metadata = {"variable": ENVIRONMENT_PREFIX + variable, "kind": kind}
    field: _T = dataclasses.field(default=default, metadata=metadata)
    return field
