"""Where incidents may be: what a service started here would use, and what live ones do use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_flight.ground.own_files import directory_problem, own_name
from otel_flight.incidents.spool.directory import STATE_SUFFIX, SpoolDirectory
from otel_flight.incidents.spool.place import spool_directories
from otel_flight.ring.facts import SERVICE, SPOOL, SPOOL_PROBLEM
from otel_flight.ring.reader import RingHeader


@dataclass(frozen=True)
class SpoolPlaces:
    """The directories to look into, and what is wrong.

    Attributes:
        directories: the one that a service started here would use, then the others.
        problems: sentences; none: all is well.
        is_in_memory: whether a service started here could use none.
    """

    directories: Sequence[Path]
    problems: Sequence[str]
    is_in_memory: bool = False


def given_places(named: Path) -> SpoolPlaces:
    """Return the places of a directory that was given to be looked into, whoever writes there."""
    own = named / own_name()
    return SpoolPlaces([named, own] if own.is_dir() else [named], [])


def usual_places(named: Path | None, live: Iterable[RingHeader]) -> SpoolPlaces:
    """Return the places of services.

    Args:
        named: what the setting names; None: nothing.
        live: the rings of processes that run.
    """
    used: list[Path] = []
    passed: list[Path] = []
    problems: list[str] = []
    for directory in spool_directories(named):
        if problem := _problem_of(directory):
            passed.append(directory)
            problems.append(f"incidents cannot be kept in {directory}: {problem}")
        else:
            used.append(directory)
            break
    told = [_told_by(header) for header in live]
    others = [*passed, *(Path(directory) for directory, _ in told if directory)]
    found = [each for each in dict.fromkeys(others) if each not in used and _has_incidents(each)]
    problems += [problem for _, problem in told if problem]
    return SpoolPlaces([*(used or passed[:1]), *found], problems, is_in_memory=not used)


def _problem_of(directory: Path) -> str:
    is_below_ours = directory.parent.name == own_name() and os.path.lexists(directory.parent)
    above = directory_problem(directory.parent) if is_below_ours else ""
    return above or directory_problem(directory)


def _has_incidents(directory: Path) -> bool:
    return bool(SpoolDirectory(directory, 0, 0).entries(STATE_SUFFIX, with_damaged=True))


def _told_by(header: RingHeader) -> tuple[str, str]:
    """Return where a process keeps its incidents, and what is wrong with that."""
    directory, problem = header.facts.get(SPOOL), header.facts.get(SPOOL_PROBLEM)
    who = f"{header.facts.get(SERVICE) or 'a service'} (process {header.pid})"
    return str(directory or ""), f"{who} {problem}" if problem else ""
