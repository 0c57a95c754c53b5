"""How many spans a flush sends for a second of processor time, against BatchSpanProcessor.

Both send the same kinds of spans with the same official exporter to the same Collector, which
throws them away. What counts is the processor time of the whole sending process, all its threads:
for the recorder from when the incident is on disk until the Collector has acknowledged all of it
(reading the file, indexing, encoding, sending, noting progress, pacing), and once more from the
trigger on, with the freezing and compressing that comes before; for BatchSpanProcessor while full
queues are exported, but not while spans are made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.incidents import backends
from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result

PROTOCOLS = {"HTTP": "http/protobuf", "gRPC": "grpc"}
_FLOOR = Budget(limit=2.0, is_floor=True)

_Probe = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Size:
    rounds: int
    spans: int
    batch_spans: int


# 70,000 of these spans are more than 16 MiB hold.
_FULL = _Size(rounds=4, spans=70_000, batch_spans=40_000)
_SMOKE = _Size(rounds=1, spans=1000, batch_spans=1000)


def run(*, smoke: bool) -> Result:
    """Let both send in turn, each time in a process of its own."""
    backends.require("collector")
    size = _SMOKE if smoke else _FULL
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, backends.collector(Path(folder)) as collector:
        endpoints = {"HTTP": collector.http_endpoint, "gRPC": collector.grpc_endpoint}
        for title, protocol in PROTOCOLS.items():
            rounds = [_round(protocol, endpoints[title], size) for _ in range(size.rounds)]
            figures += _figures(title, rounds)
    notes = [
        f"medians of {size.rounds} rounds, between smallest and largest",
        "processor time of the whole process; batches of 512 there, chunks of up to 512 here",
    ]
    return Result(benchmark="flush_rate", figures=figures, notes=notes)


def _round(protocol: str, endpoint: str, size: _Size) -> dict[str, _Probe]:
    return {
        name: _probe(name, protocol, endpoint, size)
        for name in variants.available((variants.BATCH, variants.OURS))
    }


def _probe(name: str, protocol: str, endpoint: str, size: _Size) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        configuration = {
            "variant": name,
            "protocol": protocol,
            "spans": size.spans if name == variants.OURS else size.batch_spans,
            "directory": directory,
            "endpoint": endpoint,
        }
        return child_process.run(
            "benchmarks.incidents.flush_rate_probe", configuration, timeout_seconds=120
        )


def _figures(title: str, rounds: Sequence[Mapping[str, _Probe]]) -> list[Figure]:
    figures = []
    rates = {name: [_rate(each[name]) for each in rounds] for name in rounds[0]}
    for name, measured in rates.items():
        figures.append(_figure(f"{title}: spans", name, measured, "/CPU s"))
    if variants.OURS not in rates:
        return figures
    batch = rates[variants.BATCH]
    probes = [each[variants.OURS] for each in rounds]
    from_trigger = [each["spans"] / (each["cpu_seconds"] + each["writing_cpu"]) for each in probes]
    compared = [
        ("to batch", _ratios(rates[variants.OURS], batch), "x", _FLOOR),
        ("from the trigger on, to batch", _ratios(from_trigger, batch), "x", None),
        ("spans sent", [each["spans"] for each in probes], "spans", None),
        ("trigger to last span", [each["seconds"] for each in probes], "s", None),
    ]
    return figures + [
        _figure(f"{title}: {quantity}", variants.OURS, values, unit, budget)
        for quantity, values, unit, budget in compared
    ]


def _rate(probe: _Probe) -> float:
    return probe["spans"] / probe["cpu_seconds"]


def _ratios(measured: Sequence[float], batch: Sequence[float]) -> list[float]:
    return [ours / theirs for ours, theirs in zip(measured, batch, strict=True)]


def _figure(
    quantity: str, variant: str, values: Sequence[float], unit: str, budget: Budget | None = None
) -> Figure:
    return Figure(
        quantity=quantity,
        variant=variant,
        value=median(values),
        low=min(values),
        high=max(values),
        unit=unit,
        budget=budget,
    )
