"""The command line of the benchmarks: which to run, and where the figures go."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.handlers import benchmark as handlers
from benchmarks.incidents import explanation, flush_rate, flush_stall, page, pipeline, queryable
from benchmarks.incidents.backends import BackendsMissingError
from benchmarks.latency import benchmark as latency
from benchmarks.measuring import variants
from benchmarks.measuring.figures import TABLE_HEADER, Result, as_json, table_rows
from benchmarks.runtime_events import idle, sources, stacks
from benchmarks.services import other_tracers, sampled, service
from benchmarks.spans import (
    instructions,
    memory,
    redaction_cost,
    root_cost,
    span_cost,
    threads,
)

BENCHMARKS: dict[str, Callable[..., Result]] = {
    "span_cost": span_cost.run,
    "root_cost": root_cost.run,
    "redaction_cost": redaction_cost.run,
    "threads": threads.run,
    "instructions": instructions.run,
    "service": service.run,
    "sampled": sampled.run,
    "handlers": handlers.run,
    "other_tracers": other_tracers.run,
    "memory": memory.run,
    "flush_stall": flush_stall.run,
    "idle": idle.run,
    "flush_rate": flush_rate.run,
    "explanation": explanation.run,
    "queryable": queryable.run,
    "pipeline": pipeline.run,
    "sources": sources.run,
    "stacks": stacks.run,
    "learned_latency": latency.run_made,
    "recorded_latency": latency.run_recorded,
    "page": page.run,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the chosen benchmarks, print each table when it is known, write the JSON file."""
    parser = _parser()
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if not variants.has_recorder():
        print("otel_flight cannot be used here: only the other variants are measured.")
    if options.smoke:
        print("A smoke run: everything runs once, and the figures mean nothing.")
    results = []
    for name in options.names or BENCHMARKS:
        print(f"{name} …", flush=True)
        begin = perf_counter()
        try:
            result = BENCHMARKS[name](smoke=options.smoke)
        except BackendsMissingError as error:
            print(f"{name} skipped: {error}\n", flush=True)
            continue
        results.append(replace(result, seconds=round(perf_counter() - begin, 1)))
        _print_table(results[-1])
    if options.json is not None:
        content = {
            "environment": _environment(),
            "smoke": options.smoke,
            "results": [as_json(result) for result in results],
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    figures = [figure for result in results for figure in result.figures]
    missed = [each for each in figures if each.budget and not each.budget.is_kept_by(each.value)]
    if options.strict and missed:
        sys.exit(f"{len(missed)} budgets were missed")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(BENCHMARKS)}"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="tiny sizes: shows that all of it runs, not figures"
    )
    parser.add_argument("--strict", action="store_true", help="fail when a budget is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser


def _environment() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "opentelemetry-sdk": metadata.version("opentelemetry-sdk"),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def _print_table(result: Result) -> None:
    rows = table_rows(result.figures)
    title = f"{result.benchmark} ({result.seconds} s)"
    try:
        _print_rich(title, rows)
    except ImportError:
        _print_plain(title, rows)
    for note in result.notes:
        print(f"  {note}")
    print(flush=True)


def _print_rich(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print with rich, which only the extras bring."""
    table = importlib.import_module("rich.table").Table(title=title, title_justify="left")
    for number, heading in enumerate(TABLE_HEADER):
        table.add_column(heading, justify="right" if number in {2, 3, 5} else "left")
    for row in rows:
        table.add_row(*row)
    console_class = importlib.import_module("rich.console").Console
    console = console_class() if sys.stdout.isatty() else console_class(width=120)
    console.print(table)


def _print_plain(title: str, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(TABLE_HEADER, *rows, strict=True)]
    print(title)
    for row in (TABLE_HEADER, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
