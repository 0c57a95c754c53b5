"""Writes one incident to a file of a form that other tools read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import click

from otel_flight.assembly import ASSEMBLY
from otel_flight.cli.base import Invocation
from otel_flight.cli.commands.export.stack_files import collapsed, speedscope
from otel_flight.errors import MissingExtra
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import examined
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.words import size

_Form = Callable[[Sequence[Incident]], bytes]
_STACK_FORMS: Final[dict[str, _Form]] = {"speedscope": speedscope, "collapsed": collapsed}

_MODULES: Final = {
    "perfetto": "otel_flight.cli.commands.export.perfetto_file",
    "otlp_profiles": "otel_flight.delivery.profiles.otlp_profiles",
}


def write_file(
    invocation: Invocation, entry: SpoolEntry, form: str, name: str, *, is_stdout_taken: bool
) -> None:
    """Write an incident, with all its windows, to a file.

    Args:
        invocation: knows where it is.
        entry: the incident.
        form: the name of the option that asks for it.
        name: of the file, which is overwritten; `-` is stdout.
        is_stdout_taken: whether a file is written there: nothing else is said there then.

    Raises:
        MissingExtra: what the form needs is not installed.
        NotAnIncident: it cannot be read.
        OSError: the file cannot be written.
    """
    write = _form(form)
    guard = Guard()
    whole = invocation.read(entry)
    windows = [examined(each, ASSEMBLY.rulebook, guard) for each in (whole, *whole.others)]
    data = write(windows)
    if name == "-":
        click.echo(data, nl=False)
    else:
        Path(name).write_bytes(data)
        click.echo(f"{size(len(data))} written to {name}", err=is_stdout_taken)


def _form(name: str) -> _Form:
    if name in _STACK_FORMS:
        return _STACK_FORMS[name]
    # Not imported at the top: Perfetto's package takes 0.1 s, and is an extra that few have.
    try:
        module = import_module(_MODULES[name])
    except ImportError as error:
        if name == "perfetto":
            raise MissingExtra(name, "files for Perfetto") from error
        raise click.UsageError("the installed opentelemetry-proto is too old for that") from error
    return cast("_Form", getattr(module, name))
