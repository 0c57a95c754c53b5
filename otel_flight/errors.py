"""Every error this package raises on purpose, one class per situation.

Each class takes the facts and writes its own sentence: what happened, the offending value, what to
do about it. Catch ``FlightError`` to catch them all. The facts stay readable as attributes, and the
errors survive pickling.
"""

# ruff: noqa: N818  (named for the situation: `except RecorderStopped` needs no further "Error")

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

from otel_flight.ground.quoting import common_start, listed, shown

__all__ = [
    "AmbiguousIncident",
    "CannotRecord",
    "DamagedIncident",
    "DeliveryFailed",
    "FlightError",
    "IncidentNotFound",
    "InvalidQuantity",
    "InvalidSetting",
    "MissingExtra",
    "NewerIncident",
    "NotARing",
    "NotAnIncident",
    "RecorderStopped",
    "RingUnavailable",
    "ServiceNotFound",
    "SpoolUnavailable",
    "UnknownSetting",
]


class FlightError(Exception):
    """The root of all errors raised by otel-flight."""


class _FileError(FlightError):
    """An error about one file.

    Args:
        path: The file or directory.
        why: What is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str], why: str) -> None:
        self.path = os.fspath(path)
        self.why = why
        super().__init__(self.path, why)


class InvalidQuantity(FlightError, ValueError):
    """A text that should be a duration or a size is neither.

    Args:
        text: What was given.
        advice: What is wrong with it and what to write instead, as it reads after the text.
    """

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text, advice)
        self.text = text
        self.advice = advice

    def __str__(self) -> str:
        return f"{shown(self.text)} {self.advice}"


class InvalidSetting(FlightError, ValueError):
    """A setting was given a value it cannot have.

    Args:
        setting: The field of ``Settings``.
        value: What was given.
        allowed: What the setting takes, as it reads after "give".
        reason: What exactly is wrong, where more than ``allowed`` can be said.
    """

    def __init__(self, setting: str, value: object, allowed: str, reason: str = "") -> None:
        super().__init__(setting, value, allowed, reason)
        self.setting = setting
        self.value = value
        self.allowed = allowed
        self.reason = reason

    def __str__(self) -> str:
        because = f" ({self.reason})" if self.reason else ""
        return f"{self.setting} cannot be {shown(self.value)}{because}: give {self.allowed}"


class UnknownSetting(FlightError, TypeError):
    """A setting was named that does not exist.

    Args:
        setting: The name that was given.
        known: The names there are.
    """

    def __init__(self, setting: str, known: Iterable[str]) -> None:
        self.setting = setting
        self.known = tuple(known)
        super().__init__(setting, self.known)

    def __str__(self) -> str:
        # Without what all of them begin with, which would make anything look similar.
        prefix = common_start(self.known)
        known = [name.removeprefix(prefix) for name in self.known]
        closest = difflib.get_close_matches(
            self.setting.removeprefix(prefix), known, n=2, cutoff=0.5
        )
        names = " or ".join(prefix + name for name in closest)
        hint = f"did you mean {names}?" if names else "see the configuration reference"
        return f"there is no setting {shown(self.setting)}: {hint}"


class RingUnavailable(_FileError, OSError):
    """The ring file could not be created, or was taken away."""

    def __str__(self) -> str:
        return (
            f"no ring can be kept at {self.path}: {self.why}; set OTEL_FLIGHT_RING_DIRECTORY to a "
            "writable directory of your own with room for OTEL_FLIGHT_WINDOW_BYTES"
        )


class SpoolUnavailable(_FileError, OSError):
    """No incidents can be kept in a directory."""

    def __str__(self) -> str:
        return f"no incidents can be kept in {self.path}: {self.why}"


class NotARing(_FileError, ValueError):
    """A file that should be a ring is something else, or a ring this version cannot read."""

    def __str__(self) -> str:
        return (
            f"{self.path} is not a readable ring: {self.why}; "
            "name a file written by the flight recorder"
        )


class NotAnIncident(_FileError, ValueError):
    """A file that should be an incident is something else, or damaged."""

    def __str__(self) -> str:
        return f"{self.path} is not a readable incident: {self.why}; name a .flight file of a spool"


class NewerIncident(NotAnIncident):
    """An incident in a version of the format that this package does not know yet."""

    def __str__(self) -> str:
        return f"{self.path} was written by a newer otel-flight: {self.why}; update this one"


class DamagedIncident(NotAnIncident):
    """The bytes of a file are not those of an incident, or not all of them."""


class IncidentNotFound(FlightError, LookupError):
    """No incident in the spool has the id asked for.

    Args:
        incident_id: The id, or the beginning of one.
        spool: The directory that was searched.
    """

    def __init__(self, incident_id: str, spool: str | os.PathLike[str]) -> None:
        self.incident_id = incident_id
        self.spool = os.fspath(spool)
        super().__init__(incident_id, self.spool)

    def __str__(self) -> str:
        return (
            f"no incident {shown(self.incident_id)} in {self.spool}: "
            "`otel-flight list` shows what is there"
        )


class AmbiguousIncident(FlightError, LookupError):
    """The beginning of an id fits more than one incident.

    Args:
        prefix: What was given.
        incident_ids: The ids it fits.
    """

    def __init__(self, prefix: str, incident_ids: Iterable[str]) -> None:
        self.prefix = prefix
        self.incident_ids = tuple(incident_ids)
        super().__init__(prefix, self.incident_ids)

    def __str__(self) -> str:
        return (
            f"{shown(self.prefix)} fits {len(self.incident_ids)} incidents: "
            f"give more of the id of one of {listed(self.incident_ids)}"
        )


class ServiceNotFound(FlightError, LookupError):
    """No running process of the service asked for keeps a ring here.

    Args:
        service: The service name asked for.
        found: The services that do have a ring here.
        directory: The ring directory that was searched.
    """

    def __init__(
        self, service: str, found: Iterable[str], directory: str | os.PathLike[str]
    ) -> None:
        self.service = service
        self.found = tuple(found)
        self.directory = os.fspath(directory)
        super().__init__(service, self.found, self.directory)

    def __str__(self) -> str:
        found = f"found {listed(self.found)}" if self.found else "nothing is recorded there"
        return (
            f"no running service {shown(self.service)} in {self.directory} ({found}): check the "
            "name, or set OTEL_FLIGHT_RING_DIRECTORY to the directory the service uses"
        )


class RecorderStopped(FlightError, RuntimeError):
    """Something was asked of a recorder that is not running.

    Args:
        operation: What was asked, as a verb.
    """

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation

    def __str__(self) -> str:
        return f"cannot {self.operation}: the flight recorder is not running; call start() first"


class MissingExtra(FlightError, ImportError):
    """A feature needs packages that are not installed.

    Args:
        extra: The extra of otel-flight that brings them.
        purpose: What it is needed for.
    """

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(extra, purpose)
        self.extra = extra
        self.purpose = purpose

    def __str__(self) -> str:
        return (
            f"packages needed for {self.purpose} are not installed: "
            f"run `pip install 'otel-flight[{self.extra}]'`"
        )


class DeliveryFailed(FlightError):
    """An incident could not be handed to a backend; it is still in the spool.

    Args:
        endpoint: Where it was sent.
        why: What the receiver or the exporter said.
        retry_after_seconds: How long the receiver wants to be left alone; 0 where it did not say.
    """

    def __init__(self, endpoint: str, why: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(endpoint, why, retry_after_seconds)
        self.endpoint = endpoint
        self.why = why
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return (
            f"no delivery to {self.endpoint}: {self.why}; the incident stays in the spool: check "
            "the endpoint and run `otel-flight export` again"
        )


class CannotRecord(FlightError):
    """A test asked for a recording where none is possible.

    Args:
        why: What is in the way, and what to do about it.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"nothing can be recorded: {self.why}"
