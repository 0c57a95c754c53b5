"""Stack samples as OTLP profiles, each sample with a link to its request's span.

That signal is in development: a later version of it may differ.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from opentelemetry.proto.profiles.v1development import profiles_pb2 as messages

from otel_flight.delivery.profiles.chunks import SampledWindow
from otel_flight.delivery.profiles.sampled_stacks import frames_of, sampled_stacks
from otel_flight.incidents.incident import Incident
from otel_flight.names import attributes as names
from otel_flight.names import sent_attributes
from otel_flight.records.records import Frame

_SCOPE: Final = "otel_flight"
_MOST_INT: Final = (1 << 63) - 1
_Key = tuple[int, int, tuple[int, ...]]

if not hasattr(messages.ProfilesDictionary, "STACK_TABLE_FIELD_NUMBER"):
    raise ImportError("these are profiles of an earlier development")


def otlp_profiles(windows: Sequence[Incident]) -> bytes:
    """Return the stack samples of all windows of an incident, with a profile for each process."""
    return request_of(
        SampledWindow(number, each, sampled_stacks(each)) for number, each in enumerate(windows)
    )


def request_of(windows: Iterable[SampledWindow]) -> bytes:
    """Return a request of OTLP, with a profile for each window."""
    data = messages.ProfilesData()
    tables = _Tables(data.dictionary)
    for sampled in windows:
        window = sampled.incident
        incident_id = window.manifest.incident_id
        of_resource = data.resource_profiles.add()
        for key, value in window.manifest.resource.items():
            _set(of_resource.resource.attributes.add(key=key).value, value)
        of_scope = of_resource.scope_profiles.add()
        of_scope.scope.name = _SCOPE
        profile = of_scope.profiles.add()
        identity = f"{incident_id} {sampled.number}".encode()
        profile.profile_id = hashlib.blake2b(identity, digest_size=16).digest()
        noted = tables.attribute(sent_attributes.INCIDENT_ID, incident_id)
        profile.attribute_indices.append(noted)
        _fill(profile, sampled, tables)
    return bytes(data.SerializeToString())


def _fill(profile: Any, sampled: SampledWindow, tables: _Tables) -> None:
    """Add the samples of a window; those of one stack and request are one, with all its moments."""
    profile.sample_type.type_strindex = tables.text("wall")
    profile.sample_type.unit_strindex = tables.text("nanoseconds")
    together: defaultdict[_Key, list[tuple[int, int]]] = defaultdict(list)
    for stacks in sampled.stacks:
        for sample in stacks.samples:
            sampled.yield_gil()
            record = sample.event.record
            noted = {names.THREAD_ID: record.thread_id, names.WAIT_KIND: sample.wait_kind}
            key = (
                tables.stack(list(frames_of(sample))[::-1]),
                tables.link(record.trace_id, record.span_id),
                tuple(tables.attribute(name, value) for name, value in noted.items() if value),
            )
            together[key].append((record.start_ns, sample.duration_ns))
    for (stack, link, attributes), moments in together.items():
        profile.samples.add(
            stack_index=stack,
            link_index=link,
            attribute_indices=attributes,
            timestamps_unix_nano=[moment for moment, _ in moments],
            values=[duration for _, duration in moments],
        )
    seen = [moment for moments in together.values() for moment, _ in moments]
    if seen:
        profile.time_unix_nano = min(seen)
        profile.duration_nano = max(seen) - min(seen) + 1


class _Tables:
    """What all profiles of a request share, by numbers; 0 is the empty one of each table."""

    def __init__(self, dictionary: Any) -> None:
        self._dictionary = dictionary
        self._numbers: dict[tuple[str, Any], int] = {}
        dictionary.string_table.append("")
        for table in ("mapping", "location", "function", "link", "attribute", "stack"):
            getattr(dictionary, f"{table}_table").add()

    def text(self, value: str) -> int:
        """Return the number of a text."""
        if not value:
            return 0
        number = self._numbers.get(("string", value))
        if number is None:
            number = self._numbers["string", value] = len(self._dictionary.string_table)
            self._dictionary.string_table.append(value)
        return number

    def link(self, trace_id: int, span_id: int) -> int:
        """Return the number of a link to a span; 0 where there is none."""
        if not trace_id or not span_id:
            return 0
        fields = {"trace_id": trace_id.to_bytes(16, "big"), "span_id": span_id.to_bytes(8, "big")}
        return self._number("link", (trace_id, span_id), fields)

    def attribute(self, name: str, value: Any) -> int:
        """Return the number of an attribute."""
        number = self._number("attribute", (name, value), {"key_strindex": self.text(name)})
        _set(self._dictionary.attribute_table[number].value, value)
        return number

    def stack(self, frames: Sequence[Frame]) -> int:
        """Return the number of a stack, which is given innermost frame first."""
        places = tuple(self._locations(frames))
        return self._number("stack", places, {"location_indices": places})

    def _locations(self, frames: Sequence[Frame]) -> Iterator[int]:
        for frame in frames:
            named = {
                "name_strindex": self.text(frame.function),
                "filename_strindex": self.text(frame.file),
            }
            function = self._number("function", (frame.function, frame.file), named)
            line = messages.Line(function_index=function, line=frame.line)
            yield self._number("location", (function, frame.line), {"lines": [line]})

    def _number(self, table: str, key: Any, fields: dict[str, Any]) -> int:
        number = self._numbers.get((table, key))
        if number is None:
            rows = getattr(self._dictionary, f"{table}_table")
            number = self._numbers[table, key] = len(rows)
            rows.add(**fields)
        return number


def _set(target: Any, value: Any) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int) and abs(value) <= _MOST_INT:
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, list | tuple):
        for item in value:
            _set(target.array_value.values.add(), item)
    else:
        target.string_value = str(value)
