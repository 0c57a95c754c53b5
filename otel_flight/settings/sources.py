"""Where settings come from, in which order, and what is said about those that make no sense.

Arguments win over the options of a configuration file, these over the environment, and that over
the defaults. Arguments are code, so a mistake in one raises; the others belong to whoever deploys
the application, which must start nonetheless: a mistake there is a problem, warned of once.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from otel_flight.errors import InvalidSetting, UnknownSetting
from otel_flight.ground.quoting import shown
from otel_flight.settings.declaration import ENVIRONMENT_PREFIX, Setting, settings_in
from otel_flight.settings.fields import CoreSettings

__all__ = ["SettingsInForce", "find_settings", "warn_once"]

_logger = logging.getLogger("otel_flight")
_warned: set[str] = set()

S = TypeVar("S", bound=CoreSettings)


@dataclass(frozen=True)
class SettingsInForce(Generic[S]):
    """Settings, and how they came about.

    Attributes:
        settings: What is in force.
        origins: For each field, ``"argument"``, ``"configuration file"``,
            ``"environment OTEL_FLIGHT_…"`` or ``"default"``.
        problems: One sentence for each thing that was ignored.
    """

    settings: S
    origins: Mapping[str, str]
    problems: tuple[str, ...] = ()


def find_settings(
    kind: type[S],
    settings: S | None = None,
    arguments: Mapping[str, Any] = MappingProxyType({}),
    *,
    file_options: Mapping[str, Any] = MappingProxyType({}),
    environment: Mapping[str, str] | None = None,
) -> SettingsInForce[S]:
    """Return the settings in force; says nothing about problems, see ``warn_once``.

    Args:
        kind: The class of the settings.
        settings: Complete settings: neither the configuration file nor the environment is asked.
        arguments: Values for single fields, by their names, which win over everything.
        file_options: Values for single fields from a configuration file.
        environment: The variables; None means those of this process.

    Raises:
        InvalidSetting: An argument that its field cannot have.
        UnknownSetting: An argument for a field that does not exist.
    """
    known = {setting.name: setting for setting in settings_in(kind)}
    for name in arguments:
        if name not in known:
            raise UnknownSetting(name, known)
    if settings is not None:
        return _given(dataclasses.replace(settings, **arguments))
    variables = os.environ if environment is None else environment
    problems = [
        *_unknown_options(file_options, known),
        *_unknown_variables(variables, known.values()),
    ]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in known.values():
        values[setting.name], origins[setting.name] = _first_usable(
            setting, arguments, file_options, variables, problems.append
        )
    return SettingsInForce(kind(**values), MappingProxyType(origins), tuple(problems))


def warn_once(problems: Iterable[str]) -> None:
    """Log a warning for each problem this process has not warned of yet.

    Several entry points of one process find the settings on their own; the reader needs to know
    once.
    """
    for problem in problems:
        if problem not in _warned:
            _warned.add(problem)
            _logger.warning("%s", problem)


def _given(settings: S) -> SettingsInForce[S]:
    origins = {
        setting.name: "default"
        if getattr(settings, setting.name) == setting.default
        else "argument"
        for setting in settings_in(type(settings))
    }
    return SettingsInForce(settings, MappingProxyType(origins))


def _first_usable(
    setting: Setting,
    arguments: Mapping[str, Any],
    file_options: Mapping[str, Any],
    variables: Mapping[str, str],
    report: Callable[[str], None],
) -> tuple[object, str]:
    """Return the value of a setting and its origin, and report each that could not be used."""
    if setting.name in arguments:
        return setting.read(arguments[setting.name]), "argument"
    ignored: list[tuple[str, InvalidSetting]] = []
    found: tuple[object, str] = setting.default, "default"
    for label, origin, value in _sources(setting, file_options, variables):
        try:
            found = setting.read(value), origin
            break
        except InvalidSetting as error:
            ignored.append((label, error))
    for label, mistake in ignored:
        report(_problem(label, mistake, setting, found))
    return found


def _sources(
    setting: Setting, file_options: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[tuple[str, str, object]]:
    """Yield what to call it, its origin, and the value, for each place that says something."""
    # Source: OpenTelemetry specification, environment variables and declarative configuration:
    # empty or null is the same as unset.
    option = file_options.get(setting.name)
    if option is not None and option != "":
        label = f"the option {setting.name} of the configuration file"
        yield label, "configuration file", option
    if variables.get(setting.variable, "").strip():
        yield setting.variable, f"environment {setting.variable}", variables[setting.variable]


def _problem(label: str, error: InvalidSetting, setting: Setting, found: tuple[object, str]) -> str:
    value, origin = found
    used = " ".join(setting.write(value).split()) or "(unset)"  # names may have line breaks
    used = f"the default {used}" if origin == "default" else f"{used} from the {origin}"
    because = f" ({error.reason})" if error.reason else ""
    return (
        f"{label} cannot be {shown(error.value)}{because}: {used} is used instead; "
        f"give {error.allowed}"
    )


def _unknown_options(file_options: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    return [
        f"an option of the configuration file is ignored: {UnknownSetting(str(name), known)}"
        for name in file_options
        if name not in known
    ]


def _unknown_variables(variables: Mapping[str, str], settings: Iterable[Setting]) -> list[str]:
    known = [setting.variable for setting in settings]
    return [
        f"an environment variable is ignored: {UnknownSetting(name, known)}"
        for name in sorted(variables)
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known
    ]
