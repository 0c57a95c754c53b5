"""The requests and jobs of a window by their route: how many, how long, how many failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.evidence.evidence import LocalRoot
from otel_flight.records.normal_names import normal_name
from otel_flight.report.model.compared_values import Value
from otel_flight.report.model.incident_report import IncidentReport
from otel_flight.words import short_duration

_ENOUGH: Final = 10
"""With fewer requests in both incidents, their number is no difference."""


@dataclass(frozen=True)
class Route:
    """The requests of one name, without the ids in it.

    Attributes:
        roots: the requests.
        seconds: how long the window is.
    """

    roots: Sequence[LocalRoot]
    seconds: float

    @property
    def total_ns(self) -> int:
        """How long they took together."""
        return sum(root.duration_ns for root in self.roots)

    @property
    def is_often(self) -> bool:
        """Whether there are enough for their number to say something."""
        return len(self.roots) >= _ENOUGH

    def value(self, *, with_rate: bool) -> Value:
        """Return what is compared: how long they take, how many fail, and how often they come."""
        ended = sorted(root.duration_ns for root in self.roots if not root.is_open)
        failed = sum(root.is_error for root in self.roots)
        still_open = len(self.roots) - len(ended)
        rate = len(self.roots) / self.seconds
        numbers = {"failed": failed / len(self.roots), "open": float(still_open > 0)}
        numbers |= {"rate": rate} if with_rate else {}
        words = [
            f"{len(self.roots):,} ({rate:,.0f}/s)"
            if rate >= 10
            else f"{len(self.roots):,} ({rate:.2g}/s)"
        ]
        for name, share in (("p50", 0.5), ("p99", 0.99)) if ended else ():
            numbers[name] = ended[min(len(ended) - 1, int(share * len(ended)))]
            words.append(f"{name} {short_duration(numbers[name])}")
        words += [f"{failed:,} failed"] if failed else []
        words += [f"{still_open:,} open"] if still_open else []
        return Value(", ".join(words), numbers)


def routes_of(report: IncidentReport) -> dict[str, Route]:
    """Return the requests of an incident by their names."""
    by_name: defaultdict[str, list[LocalRoot]] = defaultdict(list)
    for root in report.roots:
        by_name[normal_name(root.name)].append(root)
    manifest = report.manifest
    start_ns = manifest.coverage.start_ns or report.first_start_ns
    seconds = max(1e-9, (manifest.closed_ns - start_ns) / 1e9)
    return {name: Route(roots, seconds) for name, roots in by_name.items()}
