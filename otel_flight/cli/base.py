"""What all commands share: where to look, how to print, and how an error ends the process."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
from rich.console import Console

from otel_flight.assembly import Settings
from otel_flight.cli.left_behind import RING_SUFFIXES, LeftBehind, is_left_behind
from otel_flight.cli.rings import find_rings
from otel_flight.cli.spools import SpoolPlaces, given_places, usual_places
from otel_flight.delivery.receiver.exporters import destination
from otel_flight.delivery.receiver.signals import LOGS
from otel_flight.errors import (
    AmbiguousIncident,
    DeliveryFailed,
    FlightError,
    IncidentNotFound,
    InvalidSetting,
    MissingExtra,
    ServiceNotFound,
    UnknownSetting,
)
from otel_flight.incidents.flight_file import read_incident, read_manifest
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import LOGS_STATE_SUFFIX, SpoolEntry
from otel_flight.incidents.spool.spool import Spool, find_entry
from otel_flight.ring.file import ring_directories
from otel_flight.ring.reader import RingReader
from otel_flight.settings.sources import SettingsInForce, find_settings

_VARIABLES_USED: Final = tuple(
    f"OTEL_FLIGHT_{name}"
    for name in (
        "SPOOL_DIRECTORY",
        "RING_DIRECTORY",
        "ENDPOINT",
        "LOGS_ENDPOINT",
        "PROTOCOL",
        "SKIP_EXPORTED",
        "JAEGER_URL",
        "GRAFANA_URL",
    )
)
_Command = TypeVar("_Command", bound=Callable[..., Any])


class ExitCode(IntEnum):
    """How a command ends; part of its interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    """No such incident, service or ring."""
    REFUSED = 4
    """Every process that was asked for an incident refused it."""
    NOT_DELIVERED = 5
    """An incident could not be handed to the backend; it is still in the spool."""
    INTERRUPTED = 130


_EXIT_CODES: Final[Sequence[tuple[type[Exception], ExitCode]]] = (
    (IncidentNotFound, ExitCode.NOT_FOUND),
    (AmbiguousIncident, ExitCode.NOT_FOUND),
    (ServiceNotFound, ExitCode.NOT_FOUND),
    (DeliveryFailed, ExitCode.NOT_DELIVERED),
    (InvalidSetting, ExitCode.USAGE),
    (UnknownSetting, ExitCode.USAGE),
    (MissingExtra, ExitCode.USAGE),
    (FlightError, ExitCode.FAILED),
    (OSError, ExitCode.FAILED),
)
"""The first class that fits decides. Any other exception is our mistake and shows its traceback."""


class CommandLine(click.Group):
    """The command line as a whole: the one place where exceptions become exit codes."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit with its code; an error is one line on stderr."""
        try:
            result = super().main(*args, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
            code = result if isinstance(result, int) else ExitCode.OK
        except BrokenPipeError:
            # The reader, `head` say, has seen enough: the interpreter's own flush must be quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = ExitCode.FAILED
        except (click.Abort, click.ClickException, FlightError, OSError) as error:
            code, message = _ending(error)
            click.echo(f"otel-flight: {message}", err=True)
        sys.exit(code)


def _ending(error: Exception) -> tuple[int, str]:
    if isinstance(error, click.Abort):
        return ExitCode.INTERRUPTED, "interrupted"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"see `{error.ctx.command_path} --help`"
        return ExitCode.USAGE, f"{_sentence(error.format_message())}: {hint}"
    if isinstance(error, click.ClickException):
        return error.exit_code, _sentence(error.format_message())
    if isinstance(error.__cause__, FileNotFoundError):
        return ExitCode.NOT_FOUND, _sentence(str(error))
    code = next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
    return code, _sentence(str(error))


def _sentence(message: str) -> str:
    return " ".join(message.split()).rstrip(".")


@dataclass
class Invocation:
    """One run of the command line.

    Attributes:
        overrides: settings given as options.
    """

    overrides: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def in_force(self) -> SettingsInForce[Settings]:
        """The settings, from options, environment and defaults.

        Says on stderr what it had to ignore of the settings that matter here.
        """
        found = find_settings(Settings, arguments=self.overrides)
        self.warn(problem for problem in found.problems if problem.startswith(_VARIABLES_USED))
        return found

    def warn(self, problems: Iterable[str]) -> None:
        """Print problems on stderr."""
        for problem in problems:
            click.echo(f"otel-flight: warning: {problem}", err=True)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.in_force.settings

    @cached_property
    def spool_places(self) -> SpoolPlaces:
        """Where incidents may be, and what is wrong."""
        directory = self.settings.spool_directory
        named = Path(directory) if directory else None
        if named is not None and "spool_directory" in self.overrides:
            return given_places(named)
        rings = find_rings(self.ring_directories)
        return usual_places(named, [ring.header for ring in rings if ring.is_alive])

    @property
    def spool_directory(self) -> Path:
        """Where incidents are, first of all."""
        return self.spool_places.directories[0]

    @property
    def ring_directories(self) -> list[Path]:
        """Where rings may be, best first.

        A directory that is named is meant: rings of services that could not use it, which went to
        the default one and said so, are not looked for.
        """
        named = self.settings.ring_directory
        return ring_directories(Path(named))[:2] if named else ring_directories(None)

    def spool(self, directory: Path | None = None) -> Spool:
        """Return the spool, or one in another directory."""
        settings = self.settings
        return Spool(
            directory or self.spool_directory, settings.spool_bytes, settings.spool_incidents
        )

    def entries(self) -> list[SpoolEntry]:
        """Return all incidents there are, oldest first, damaged ones included."""
        found = [
            entry
            for directory in self.spool_places.directories
            for entry in self.spool(directory).entries(with_damaged=True)
        ]
        return sorted(found, key=lambda entry: entry.incident_id)

    @cached_property
    def left_behind(self) -> LeftBehind:
        """What dead processes have left that nobody has recovered yet."""
        return LeftBehind(self.ring_directories, self.settings.window_seconds)

    def all_entries(self) -> list[SpoolEntry]:
        """Return `entries`, and the incidents in rings of dead processes, oldest first."""
        known = {entry.incident_id: entry for entry in self.left_behind.entries()}
        known.update((entry.incident_id, entry) for entry in self.entries())
        return sorted(known.values(), key=lambda entry: entry.incident_id)

    def manifest(self, entry: SpoolEntry) -> Manifest:
        """Return the manifest of an incident.

        Raises:
            NotAnIncident: it cannot be read.
        """
        is_left = is_left_behind(entry)
        return self.left_behind.manifest(entry) if is_left else read_manifest(entry.path)

    def read(self, entry: SpoolEntry) -> Incident:
        """Return an incident, as `manifest` does."""
        return self.left_behind.read(entry) if is_left_behind(entry) else read_incident(entry.path)

    def log_state(self, entry: SpoolEntry) -> DeliveryState | None:
        """Return how far the delivery of an incident's log records is; None when that is off.

        By the file that a service has left, as its settings need not be those of this command.
        """
        state = self.spool().of(LOGS_STATE_SUFFIX).state_of(entry)
        is_off = destination(LOGS, self.settings).kind == "off"
        return None if is_off and state == DeliveryState() else state

    @cached_property
    def console(self) -> Console:
        """Where output goes."""
        return Console(highlight=False, markup=False, emoji=False)

    def find_incident(self, name: str) -> SpoolEntry:
        """Return the incident that `name` means: a path, `last`, an id or the beginning of one.

        A path may be that of a dead process's ring, which may also have what an id means.

        Raises:
            IncidentNotFound: there is none.
            AmbiguousIncident: the beginning fits several.
            NotARing: it is the path of what should be one.
        """
        path = Path(name)
        if path.suffix in RING_SUFFIXES and path.is_file():
            RingReader(path).close()  # says why, where it is none
            if found := self.left_behind.entries_of(path):
                return find_entry(found, "", path)
            raise IncidentNotFound(name, path.parent)
        if path.suffix == ".flight" or path.is_file():
            for entry in self.spool(path.parent).entries(with_damaged=True):
                if entry.path.name == path.name:
                    return entry
            raise IncidentNotFound(name, path.parent)
        if name == "last" and (entries := self.all_entries()):
            return entries[-1]
        known = self.entries() if name else []
        with contextlib.suppress(IncidentNotFound):
            return find_entry(known, name, self.spool_directory)
        left = self.left_behind.entries() if name else []  # takes longer
        return find_entry(left, name, self.spool_directory)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def directory_options(command: _Command) -> _Command:
    """Add the options that say where to look; they may stand before or after the command's name."""
    for name, text in (
        ("ring_directory", "Where rings are, instead of OTEL_FLIGHT_RING_DIRECTORY."),
        ("spool_directory", "Where incidents are, instead of OTEL_FLIGHT_SPOOL_DIRECTORY."),
    ):
        command = click.option(
            f"--{name.replace('_', '-')}",
            metavar="DIRECTORY",
            help=text,
            expose_value=False,
            callback=_override,
        )(command)
    return command


def _override(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).overrides[str(parameter.name)] = value


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(value: Any) -> None:
    """Print a value as JSON: structs, dataclasses, and what they hold."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    click.echo(text.decode())
