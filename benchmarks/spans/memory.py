"""What held spans weigh: bytes, objects of the garbage collector, and its full collections.

The spans are the service's. How many of them the recorder holds is asked of a receiver after an
incident, so the bytes are those of spans that can really be had back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.receiver_process import ReceiverProcess

NAMES = (variants.BARE, variants.OURS, variants.DEQUE)


@dataclass(frozen=True, slots=True)
class _Size:
    spans: int
    collections: int
    quiet_seconds: float


_FULL = _Size(spans=100_000, collections=30, quiet_seconds=3.0)
_SMOKE = _Size(spans=2_000, collections=2, quiet_seconds=0.5)


def run(*, smoke: bool) -> Result:
    """Measure each variant in a process of its own."""
    size = _SMOKE if smoke else _FULL
    probes = {name: _probe(name, size) for name in variants.available(NAMES)}
    bare = probes[variants.BARE]
    figures = [
        figure
        for name, probe in probes.items()
        if name != variants.BARE
        for figure in _figures(name, probe, bare)
    ]
    milliseconds = bare["collection_seconds"] * 1e3
    note = f"after {size.spans:,} spans; {milliseconds:.1f} ms a full collection when bare"
    notes = [note]
    if smoke:
        notes.append("the window was not filled, so bytes per held span mean nothing here")
    return Result(benchmark="memory", figures=figures, notes=notes)


def _probe(name: str, size: _Size) -> dict[str, Any]:
    with ReceiverProcess() as receiver, tempfile.TemporaryDirectory() as directory:
        configuration = {
            "variant": name,
            "spans": size.spans,
            "collections": size.collections,
            "quiet_seconds": size.quiet_seconds,
            "directory": directory,
            "endpoint": receiver.endpoint,
            "counts_path": str(receiver.counts_path),
        }
        return child_process.run(
            "benchmarks.spans.memory_probe", configuration, timeout_seconds=300
        )


def _figures(name: str, probe: Mapping[str, Any], bare: Mapping[str, Any]) -> list[Figure]:
    is_ours = name == variants.OURS
    added_bytes = probe["resident_bytes_added"] - bare["resident_bytes_added"]
    objects = probe["objects_added"] - bare["objects_added"]
    held = probe["held_spans"]
    figures = [
        Figure(quantity="held spans", variant=name, value=held, unit="spans"),
        Figure(
            quantity="resident bytes per held span",
            variant=name,
            value=added_bytes / held,
            unit="B",
        ),
        Figure(
            quantity="objects added",
            variant=name,
            value=objects,
            unit="objects",
        ),
        Figure(
            quantity="objects per held span",
            variant=name,
            # Rounded, for any process may come out an object or two apart from another.
            value=round(objects / held, 3),
            unit="objects",
            budget=Budget(limit=0) if is_ours else None,
        ),
        Figure(
            quantity="full collection",
            variant=name,
            # Each to its own process before, as the processes do not import the same modules.
            value=_collection_growth(probe) / _collection_growth(bare),
            unit="x bare",
            budget=Budget(limit=1.05) if is_ours else None,
        ),
    ]
    if is_ours:
        figures += [
            Figure(
                quantity="ring bytes per held span",
                variant=name,
                value=probe["ring_bytes"] / held,
                unit="B",
                budget=Budget(limit=350),
            ),
            Figure(
                quantity="cap overshoot",
                variant=name,
                value=probe["ring_bytes"] - variants.WINDOW_BYTES,
                unit="B",
                budget=Budget(limit=0),
            ),
        ]
    return figures


def _collection_growth(probe: Mapping[str, Any]) -> float:
    return float(probe["collection_seconds"] / probe["collection_seconds_before"])
