"""`otel-flight limits`: what is normal for each kind of root, and what would be slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import click

from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.report.terminal.page import Page
from otel_flight.triggers.latency.knowledge import read_knowledge
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.latency.sketch import LatencySketch
from otel_flight.triggers.roots.route_limits import RouteLimits
from otel_flight.words import one_line, short_duration

_NEVER_NS = 1 << 61


@dataclass(frozen=True)
class _Limit:
    service: str
    name: str
    seen: int
    median_ns: int
    p99_ns: int
    p999_ns: int
    limit_ns: int | None
    source: str
    """`learned` or `set`."""


@click.command()
@click.option("--service", help="Only those of this service.")
@json_option
@directory_options
@pass_invocation
def limits(invocation: Invocation, service: str | None, as_json: bool) -> None:
    """Print what services have learned of their local roots, the slowest limit first.

    The limits are those that a service started here and now would have: its own settings may be
    others. Services write what they learn every five minutes and when they end.
    """
    found: dict[str, dict[str, LatencySketch]] = {}
    for directory in reversed(invocation.spool_places.directories):
        for name, known in read_knowledge(directory).items():
            if service is None or name == service:
                found.setdefault(name, {}).update(known.roots)
    rows = [row for name in sorted(found) for row in _rows(invocation, name, found[name])]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"nothing was learned yet, as far as {invocation.spool_directory} tells")
        return
    Page(invocation.console).table(
        ("service", "local root", "seen", "50 %", "99 %", "99.9 %", "slow from"),
        [
            [
                one_line(row.service, 40),
                one_line(row.name, 80),
                str(row.seen),
                *(short_duration(each) for each in (row.median_ns, row.p99_ns, row.p999_ns)),
                _limit_words(row),
            ]
            for row in rows
        ],
        flexible=1,
    )


def _rows(
    invocation: Invocation, service: str, known: Mapping[str, LatencySketch]
) -> Iterator[_Limit]:
    learned = LearnedLimits(SYSTEM_CLOCK)
    learned.take_over(known)
    route_limits = RouteLimits(invocation.settings, learned)
    rows = []
    for name, sketch in known.items():
        median_ns, p99_ns, p999_ns = sketch.quantiles_ns((0.5, 0.99, 0.999))
        limit_ns = route_limits.limit_ns(name)
        rows.append(
            _Limit(
                service,
                name,
                sketch.values,
                median_ns,
                p99_ns,
                p999_ns,
                None if limit_ns > _NEVER_NS else limit_ns,
                "learned" if route_limits.usual_ns(name) else "set",
            )
        )
    yield from sorted(rows, key=lambda row: (-(row.limit_ns or 0), row.name))


def _limit_words(row: _Limit) -> str:
    limit = "never" if row.limit_ns is None else short_duration(row.limit_ns)
    return limit if row.source == "learned" else f"{limit} (set)"
