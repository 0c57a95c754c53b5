"""One run of a program of the hunt: until when it goes on, and what was noticed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry import trace

tracer = trace.get_tracer("hunt")


@dataclass
class Hunt:
    """One run of a program: until when, and what was noticed."""

    end: float
    seed: int
    noticed: list[str] = field(default_factory=list)
    kept: list[object] = field(default_factory=list)

    def goes_on(self) -> bool:
        """Return whether there is time left."""
        return time.monotonic() < self.end

    def rounds(self) -> Iterator[None]:
        """Yield within one slow request after the other."""
        while self.goes_on():
            with tracer.start_as_current_span("request"):
                until = time.monotonic() + random.Random().uniform(0.05, 0.5)
                while time.monotonic() < until and self.goes_on():
                    yield
