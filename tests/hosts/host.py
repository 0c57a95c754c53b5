"""What a host is: a program that the recorder runs in, and what is done with it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from otel_flight.names import trigger_names
from tests.hosts.visit import Visit

PROGRAMS: Final = Path(__file__).parent / "programs"
SLOW: Final = frozenset({trigger_names.SLOW_ROOT, trigger_names.SLOW_OPEN_ROOT})
FAILED: Final = frozenset({trigger_names.ERROR_SPAN})

PATCH_FIRST: Final = "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH"
"""What lets `opentelemetry-instrument` patch for gevent before it imports what it instruments."""


@dataclass(frozen=True)
class Expected:
    """An incident that the traffic is there to cause.

    Attributes:
        triggers: the names of the triggers that may cause it.
        subject: the name of the span that it is about.
        joined_by: the names of triggers that may join it, whatever they are about.
    """

    triggers: frozenset[str]
    subject: str
    joined_by: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Host:
    """A program that is run twice, with the recorder and without it, for the same traffic.

    Attributes:
        name: what tells it from the others, as on the page of compatibility.
        section: the heading that it stands under there.
        command: as one types it. `{port}` is a free port, `{folder}` a folder of its own for each
            run, `{environment}` where the packages are installed.
        packages: the distributions that must be installed; the first is the host itself.
        instrumentations: the names of those of OpenTelemetry that are used; the others, which are
            installed for other hosts, are disabled.
        programs: the programs of the system that must be there.
        traffic: what is done with it, and what it answers is noted.
        incidents: what that causes, in any order, and nothing else.
        needs_redis: it has the URL of an empty database in the variable `REDIS`.
        needs_root: it can be run by root only.
        copies: programs that are copied into `{folder}/app`, for a host that changes them.
        environment: set for both runs.
        ready: what says that it serves: a text in its output; empty: its port is open.
        ends_by: the signal that ends it; None: it ends by itself.
        is_below: its process is the child of the one that the command starts.
        says: patterns of lines, without digits, that only the recorded run may write.
        uses_default_ring_directory: the ring is where it is in production.
        runs_exit_handlers: its processes do when they end, so that they remove their rings; the
            rings of those that do not are removed by the next ones.
        is_fast: it is among those that every change has to pass.
        is_apart: its packages pin those of others, so that it has an environment of its own.
        note: a sentence about it for the page.
        fault: why it fails, while it does.
    """

    name: str
    section: str
    command: str
    packages: Sequence[str]
    instrumentations: Sequence[str]
    traffic: Callable[[Visit], None]
    programs: Sequence[str] = ()
    incidents: Sequence[Expected] = ()
    needs_redis: bool = False
    needs_root: bool = False
    copies: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    ends_by: signal.Signals | None = signal.SIGTERM
    is_below: bool = False
    says: Sequence[str] = ()
    uses_default_ring_directory: bool = False
    runs_exit_handlers: bool = True
    is_fast: bool = False
    is_apart: bool = False
    note: str = ""
    fault: str = ""
