"""How settings are written down, and what is known of each: variable, kind, default.

A room that can be set declares its settings itself, as a `SettingsGroup`; the assembly puts all
groups together. The docstring under each field is its entry in the configuration reference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from otel_flight.errors import InvalidQuantity, InvalidSetting
from otel_flight.settings.kinds import Kind

__all__ = ["ENVIRONMENT_PREFIX", "Setting", "SettingsGroup", "setting_field", "settings_in"]

ENVIRONMENT_PREFIX: Final = "OTEL_FLIGHT_"

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


@dataclass(frozen=True, kw_only=True)
class SettingsGroup:
    """Some settings, each a field made by `setting_field`.

    Every field takes a value of its type, or a text in the syntax of its environment variable
    (``window_seconds="2m"``), and holds the former afterwards.

    Raises:
        InvalidSetting: A value that the field cannot have.
    """

    def __post_init__(self) -> None:
        for setting in settings_in(type(self)):
            value = getattr(self, setting.name)
            object.__setattr__(self, setting.name, setting.read(value))


@dataclass(frozen=True)
class Setting:
    """One field of a group of settings, described.

    Attributes:
        name: The field.
        variable: Its environment variable.
        kind: What it can be.
        default: Its value when nothing else is said.
    """

    name: str
    variable: str
    kind: Kind
    default: object

    def read(self, value: object) -> object:
        """Return a value or a text as the field holds it.

        Raises:
            InvalidSetting: The field cannot have that value.
        """
        try:
            return self.kind.read(value)
        except (ValueError, TypeError, OverflowError) as error:
            reason = f"it {error.advice}" if isinstance(error, InvalidQuantity) else ""
            raise InvalidSetting(self.name, value, self.kind.allowed, reason) from None

    def write(self, value: object) -> str:
        """Return a value of the field as the environment variable takes it."""
        return self.kind.write(value)


def settings_in(group: type[SettingsGroup]) -> tuple[Setting, ...]:
    """Return the settings of a group: those of its bases in their order, then its own."""
    by_name = {field.name: field for field in dataclasses.fields(group)}
    ordered = [by_name[name] for name in dict.fromkeys(_names(group))]
    return tuple(
        Setting(field.name, field.metadata["variable"], field.metadata["kind"], field.default)
        for field in ordered
    )


def _names(group: type) -> Iterator[str]:
    for base in group.__bases__:
        yield from _names(base)
    yield from getattr(group, "__dataclass_fields__", {})
