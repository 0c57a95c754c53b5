"""Stack samples in the two forms that flame graphs are drawn from: speedscope's and collapsed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from otel_flight.delivery.profiles.sampled_stacks import SampledStacks, frames_of, sampled_stacks
from otel_flight.incidents.incident import Incident
from otel_flight.records.ids import trace_text
from otel_flight.records.records import Frame

_SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"
_NOT_IN_A_FRAME: Final = re.compile(r"[;\s\x00-\x1f\x7f]+")
"""What ends a frame or a line of collapsed stacks becomes a blank in a name."""
_NS_PER_MICROSECOND: Final = 1_000


def speedscope(windows: Sequence[Incident]) -> bytes:
    """Return the stack samples as a file for speedscope: a profile for each request or thread."""
    numbers: dict[Frame, int] = {}
    profiles = []
    for window in windows:
        whose = f" of process {window.manifest.process.get('pid')}" if len(windows) > 1 else ""
        profiles += [_profile(each, whose, numbers) for each in sampled_stacks(window)]
    manifest = windows[0].manifest
    file: dict[str, Any] = {
        "$schema": _SCHEMA,
        "exporter": "otel-flight",
        "name": f"{manifest.service_name} {manifest.incident_id}: {manifest.title}",
        "shared": {"frames": [_speedscope_frame(frame) for frame in numbers]},
        "profiles": profiles,
    }
    if profiles:
        file["activeProfileIndex"] = 0
    return msgspec.json.encode(file)


def _profile(stacks: SampledStacks, whose: str, numbers: dict[Frame, int]) -> dict[str, Any]:
    trace = f" {trace_text(stacks.root.trace_id)}" if stacks.root is not None else ""
    samples: list[list[int]] = []
    weights: list[int] = []
    reached_ns = stacks.samples[0].start_ns
    for sample in stacks.samples:
        if sample.start_ns > reached_ns:  # nothing is known of this time
            samples.append([])
            weights.append(sample.start_ns - reached_ns)
        samples.append([numbers.setdefault(each, len(numbers)) for each in frames_of(sample)])
        weights.append(sample.duration_ns)
        reached_ns = sample.end_ns
    return {
        "type": "sampled",
        "name": f"{stacks.name}{trace}{whose}",
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }


def _speedscope_frame(frame: Frame) -> dict[str, Any]:
    found: dict[str, Any] = {"name": frame.function}
    if frame.file:
        found["file"] = frame.file
    if frame.line:
        found["line"] = frame.line
    return found


def collapsed(windows: Sequence[Incident]) -> bytes:
    """Return the stack samples as collapsed stacks, a line each: service, request, frames, time.

    The time is in microseconds.
    """
    times_ns: Counter[str] = Counter()
    for window in windows:
        service = window.manifest.service_name
        for stacks in sampled_stacks(window):
            for sample in stacks.samples:
                times_ns[_line([service, stacks.name], frames_of(sample))] += sample.duration_ns
    lines = [
        f"{line} {time_ns // _NS_PER_MICROSECOND or 1}\n" for line, time_ns in times_ns.items()
    ]
    return "".join(lines).encode(errors="replace")


def _line(names: Sequence[str], frames: Iterator[Frame]) -> str:
    places = [
        f"{frame.function} ({frame.file}:{frame.line})" if frame.file else frame.function
        for frame in frames
    ]
    return ";".join(_NOT_IN_A_FRAME.sub(" ", name).strip() or "?" for name in [*names, *places])
