"""Looks when the incidents of a spool are to be seen in a Jaeger."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from otel_flight.incidents.flight_file import read_manifest
from otel_flight.names.sent_attributes import INCIDENT_ID, KIND
from tests.support.backends.jaeger_process import JaegerProcess

SERVICE: Final = "killed"
_BETWEEN_SECONDS: Final = 0.2


class SeenInJaeger:
    """Asks Jaeger for each incident again and again, on a thread of its own, until it is there.

    Args:
        jaeger: is asked.
        spool: where the incidents are.

    Attributes:
        moments_ns: when an incident of a process was first seen, by that process's id.
    """

    def __init__(self, jaeger: JaegerProcess, spool: Path) -> None:
        self.moments_ns: dict[int, int] = {}
        self._jaeger = jaeger
        self._spool = spool
        self._seen: set[Path] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> SeenInJaeger:
        self._thread.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def has_all(self) -> bool:
        """Whether each incident of the spool was seen."""
        return self._seen >= set(self._spool.glob("*.flight"))

    def _look(self) -> None:
        while not self._is_over.wait(_BETWEEN_SECONDS):
            for path in set(self._spool.glob("*.flight")) - self._seen:
                manifest = read_manifest(path)
                tags = {INCIDENT_ID: manifest.incident_id, KIND: "incident"}
                if self._jaeger.find_traces(SERVICE, tags=tags, limit=1):
                    self._seen.add(path)
                    self.moments_ns.setdefault(int(manifest.process["pid"]), time.time_ns())
