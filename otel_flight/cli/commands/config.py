"""`otel-flight config`: every setting, its value, and where that came from."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from otel_flight.assembly import Settings
from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.spools import SpoolPlaces
from otel_flight.delivery.receiver.exporters import Destination, destination
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.ground.quoting import shown_target, without_secrets
from otel_flight.report.terminal.page import Page
from otel_flight.settings.declaration import Setting, settings_in


@click.command()
@json_option
@directory_options
@pass_invocation
def config(invocation: Invocation, as_json: bool) -> None:
    """Print every setting, its value, and where that comes from.

    A service started here and now would have these. What a configuration file or the service's own
    code sets is not known here.
    """
    in_force = invocation.in_force
    invocation.warn(in_force.problems)
    places = invocation.spool_places
    invocation.warn(places.problems)
    target = destination(SPANS, in_force.settings)
    if as_json:
        print_json(
            {
                "settings": [_as_json(setting, invocation) for setting in settings_in(Settings)],
                "problems": list(in_force.problems),
                "spool_directory": str(invocation.spool_directory),
                "spool_problems": list(places.problems),
                "incidents_in_memory_only": places.is_in_memory,
                "ring_directories": [str(path) for path in invocation.ring_directories],
                "destination": target,
            }
        )
        return
    page = Page(invocation.console)
    page.table(
        ("setting", "value", "from", "variable"),
        [_row(setting, invocation) for setting in settings_in(Settings)],
        flexible=3,
    )
    page.line()
    page.facts(
        [
            ("incidents are kept in", _spool_words(places)),
            ("and go to", _destination_words(target)),
            ("rings are kept in", f"{invocation.ring_directories[0]}, where that is possible"),
        ]
    )


def _row(setting: Setting, invocation: Invocation) -> list[Text | str]:
    value = getattr(invocation.settings, setting.name)
    origin = invocation.in_force.origins[setting.name].split(" ")[0]
    style = "dim" if origin == "default" else "bold"
    text = _without_secrets(setting, setting.write(value)) or "(unset)"
    return [
        setting.name,
        Text(text, style=style),
        Text(_SHORT[origin], style=style),
        setting.variable,
    ]


_SHORT = {"default": "default", "environment": "environment", "argument": "option"}


def _as_json(setting: Setting, invocation: Invocation) -> dict[str, object]:
    value = getattr(invocation.settings, setting.name)
    return {
        "setting": setting.name,
        "variable": setting.variable,
        "value": _without_secrets(setting, value),
        "text": _without_secrets(setting, setting.write(value)),
        "default": setting.write(setting.default),
        "from": invocation.in_force.origins[setting.name],
    }


def _without_secrets(setting: Setting, value: Any) -> Any:
    if setting.name == "notify" and value not in {None, "off"}:
        return value if value.startswith("exec:") else f"{shown_target(value)}/…"
    is_endpoint = setting.name.endswith("endpoint") and value
    return without_secrets(value) if is_endpoint else value


def _spool_words(places: SpoolPlaces) -> str:
    if places.is_in_memory:
        return "memory, until they are sent: no directory can be used"
    others = "".join(f", some are in {directory}" for directory in places.directories[1:])
    return f"{places.directories[0]}{others}"


def _destination_words(target: Destination) -> str:
    if target.kind == "otlp":
        return f"{target.endpoint} by OTLP ({target.protocol})"
    if target.kind == "json":
        return "an OTLP-JSON copy beside each of them: no endpoint is configured"
    return "nowhere else: export is off"
