"""Settings that were asked for and are found when something needs them, not before.

To find all of them, everything that has settings must be imported. A process that makes no span
does without; whether it records at all stands in the settings that every recorder has.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from otel_flight.settings.declaration import ENVIRONMENT_PREFIX, settings_in
from otel_flight.settings.fields import CoreSettings
from otel_flight.settings.sources import S, SettingsInForce, find_settings


def _variables() -> Mapping[str, str]:
    names = [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]
    return {name: os.environ[name] for name in names}


@dataclass(frozen=True)
class AskedSettings:
    """What `find_settings` is to find settings by; the environment is that of now.

    Attributes:
        settings: complete settings.
        arguments: values for single fields.
        file_options: values for single fields from a configuration file.
        environment: the variables, as far as they are ours.
    """

    settings: CoreSettings | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    file_options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=_variables)

    def but(self, **arguments: Any) -> AskedSettings:
        """Return the same with other values for some fields."""
        return replace(self, arguments={**self.arguments, **arguments})

    def mentions(self, name: str) -> bool:
        """Return whether anything says what a field is to be."""
        if self.settings is not None and getattr(self.settings, name, None) is not None:
            return True
        variable = ENVIRONMENT_PREFIX + name.upper()
        is_set = bool(self.environment.get(variable, "").strip())
        return is_set or name in {*self.arguments, *self.file_options}

    def find(self, kind: type[S]) -> SettingsInForce[S]:
        """Return the settings in force.

        Args:
            kind: their class; that of `settings`, if those were given.

        Raises:
            InvalidSetting: An argument that its field cannot have.
            UnknownSetting: An argument for a field that does not exist.
        """
        settings = self.settings if isinstance(self.settings, kind) else None
        return find_settings(
            kind,
            settings,
            self.arguments,
            file_options=self.file_options,
            environment=self.environment,
        )

    def find_core(self) -> SettingsInForce[CoreSettings] | None:
        """Return those in force that every recorder has; None where that does not do.

        It does not where others were asked for in the code: a mistake there is to be told at once.

        Raises:
            InvalidSetting: An argument that its field cannot have.
        """
        known = {setting.name: setting.variable for setting in settings_in(CoreSettings)}
        if self.settings is not None or not self.arguments.keys() <= known.keys():
            return None
        variables, options = self.environment, self.file_options
        return find_settings(
            CoreSettings,
            None,
            self.arguments,
            file_options={name: options[name] for name in options if name in known},
            environment={name: variables[name] for name in known.values() if name in variables},
        )
