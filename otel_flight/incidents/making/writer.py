"""Writes closed incidents to the spool, which takes too long for the ticker.

The ticker closes an incident and gives it away; the worker's thread writes it, and gives back a
value that says what became of it. The two threads share nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from otel_flight.ground.guard import Guard
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.gil_yields import GilYields
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import complete
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.making.siblings import SiblingWindows
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool


@dataclass(frozen=True)
class WriteResult:
    """What became of an incident that was to be written.

    Attributes:
        incident_id: its id.
        is_kept: whether it is in the spool, or at least in memory.
        is_in_memory: whether it is there only.
    """

    incident_id: str
    is_kept: bool
    is_in_memory: bool = False


class IncidentWriter:
    """Completes closed incidents and writes them, in the order they were closed.

    Its fields belong to the thread that calls `write`: the worker's, or the one that stands in for
    it, of which one runs at a time. The counts may be read by any thread.

    Args:
        spool: where to.
        rulebook: finds in an incident what there is to find.
        guard: notes incidents that could not be written.
        yields: lets other threads run, and says when there is no time for that.
        tell: called with each incident that was kept.
        sent: knows which spans were delivered before they ended.

    Attributes:
        written: incidents that reached the spool.
        unspooled: incidents that could not be written, and are kept in memory instead.
        failed: incidents that could not even be kept.
    """

    def __init__(
        self,
        spool: Spool,
        rulebook: Rulebook,
        guard: Guard,
        yields: GilYields,
        *,
        tell: Callable[[Incident, SpoolEntry], None],
        sent: SentUnfinished,
    ) -> None:
        self._spool = spool
        self._rulebook = rulebook
        self._guard = guard
        self._yields = yields
        self._tell = tell
        self.sent = sent
        self._results: deque[WriteResult] = deque()
        self.written = 0
        self.unspooled = 0
        self.failed = 0

    def write(
        self, incident: Incident, windows: Callable[[Manifest], SiblingWindows] | None = None
    ) -> None:
        """Complete an incident and write it; the result waits for `take_results`.

        Args:
            incident: the incident as it was closed.
            windows: finds the windows of other processes; None: it has none.
        """
        siblings = None
        is_kept = is_in_memory = False
        try:
            if windows is not None:
                siblings = windows(incident.manifest)
                incident = replace(incident, manifest=siblings.manifest, others=siblings)
            give_up = self._yields.give_up_in_time
            finished = complete(incident, self._rulebook, self._guard, self.sent.all(), give_up)
            is_late = self._yields.is_late if self._yields.is_hurried else None
            entry = self._spool.add(finished, is_late)
            is_kept = True
            is_in_memory = entry.is_in_memory
            self.unspooled += is_in_memory
            self.written += not is_in_memory
            self.sent.add(each.record.span_id for each in finished.window.unfinished())
            if siblings is not None:
                self.sent.add(siblings.unfinished)
            self._tell(finished, entry)
        except OSError:  # of which the spool has warned
            pass
        except Exception as error:  # noqa: BLE001  (whatever is wrong with this one)
            self._guard.note("write incident", error)
        finally:
            if siblings is not None and (is_in_memory or not is_kept):
                siblings.give_back()
            self.failed += not is_kept
            self._results.append(WriteResult(incident.manifest.incident_id, is_kept, is_in_memory))

    def take_results(self) -> Iterator[WriteResult]:
        """Yield what became of incidents since this was called last. One other thread may."""
        while self._results:
            yield self._results.popleft()
