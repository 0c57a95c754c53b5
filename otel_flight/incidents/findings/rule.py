"""What each rule says of itself; a rule's module ends with its description, called `RULE`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.manifest import Finding


class Kind(Enum):
    """What a finding is for whoever reads it."""

    FAILURE = "failure"
    """It says why something failed."""
    CAUSE = "cause"
    """It says what made something slow: what did it, held it up, or was not to be had."""
    PLACE = "place"
    """It says where the time went, which is true whatever the cause was."""
    CIRCUMSTANCE = "circumstance"
    """It says what else was so at the time."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that can be found in an incident.

    Attributes:
        name: what its findings have as their `rule`.
        kind: what its findings are; it decides, with the explained share, which comes first.
        title: the heading of its section in the documentation, which goes on with the docstrings of
            its module and of `find`.
        find: returns what was found, None when there is nothing to say. Where in doubt it finds
            nothing: a wrong finding costs more than none.
    """

    name: str
    kind: Kind
    title: str
    find: Callable[[Evidence], Finding | None]
