"""Tell apart why a sampler drops a request: for its share of all, or because nobody wants it.

A health check that a sampler drops by its name is noise to its owner: it is recorded, and must not
make an incident. A request that a ratio happens to drop is as good as any other. The SDK's samplers
decide by ratio and by the parent alone, Azure Monitor's by rate as well. Of any other sampler
nothing is known but its decisions: it drops by rule what it never keeps, as long as chance would
have kept it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace.sampling import ParentBased, Sampler
from opentelemetry.trace import get_current_span

_AZURE: Final = "azure.monitor.opentelemetry.exporter.export.trace"
_BY_RATE: Final = frozenset(
    {Sampler.__module__, f"{_AZURE}._sampling", f"{_AZURE}._rate_limited_sampling"}
)
"""All samplers of these modules decide by a ratio or a rate, and by the parent alone."""
_MOST_KINDS: Final = 1024
"""At most this many kinds of requests are told apart; the ones seen first make room."""
_IMPROBABLE: Final = 0.01
"""A kind is dropped by rule when chance would have dropped all of them less often than this."""
_PATHS: Final = ("url.path", "http.target", "http.route", "rpc.method")
"""These attributes tell requests apart that have one name, such as `GET`."""
_VARYING: Final = re.compile(r"\d+|[0-9a-fA-F-]{16,}")
_NAME, _ATTRIBUTES = 2, 4

_Kind = tuple[str, str]


def decides_by_rule(sampler: Sampler) -> bool:
    """Return whether a sampler may drop by anything but chance and the parent's decision."""
    if type(sampler).__module__ not in _BY_RATE:
        return True
    inner = vars(sampler).values() if isinstance(sampler, ParentBased) else ()
    return any(decides_by_rule(each) for each in inner if isinstance(each, Sampler))


class SamplingRules:
    """What a sampler has kept and dropped, by kind of request: its name and path, without ids.

    Any thread; racing threads may lose a count.
    """

    def __init__(self) -> None:
        self._kinds: dict[_Kind, list[int]] = {}

    def kept(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
        """Note that a span was kept, with what the sampler was called with."""
        if _is_local_root(arguments, named):
            self._counts(_kind_of(arguments, named))[0] += 1

    def dropped(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
        """Note that a span was dropped; return whether it is a local root dropped by rule."""
        if not _is_local_root(arguments, named):
            return False
        counts = self._counts(_kind_of(arguments, named))
        counts[1] += 1
        return not counts[0] and self._is_improbable(counts[1])

    def _is_improbable(self, dropped: int) -> bool:
        """Return whether chance would hardly have dropped so many of a kind and kept none.

        Where no kind is known to be dropped at times only, the sampler knows no chance at all.
        """
        by_chance = [counts for counts in list(self._kinds.values()) if all(counts)]
        if not by_chance:
            return True
        kept = sum(counts[0] for counts in by_chance)
        share = kept / (kept + sum(counts[1] for counts in by_chance))
        return (1 - share) ** dropped < _IMPROBABLE

    def _counts(self, kind: _Kind) -> list[int]:
        counts = self._kinds.get(kind)
        if counts is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.pop(next(iter(self._kinds)), None)
            counts = self._kinds[kind] = [0, 0]
        return counts


def _is_local_root(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    context = arguments[0] if arguments else named.get("parent_context")
    parent = get_current_span(context).get_span_context()
    return not parent.is_valid or parent.is_remote


def _kind_of(arguments: Sequence[Any], named: Mapping[str, Any]) -> _Kind:
    name = arguments[_NAME] if len(arguments) > _NAME else named.get("name", "")
    given = arguments[_ATTRIBUTES] if len(arguments) > _ATTRIBUTES else named.get("attributes")
    attributes = given if isinstance(given, Mapping) else {}
    path = next((str(attributes[key]) for key in _PATHS if key in attributes), "")
    return _VARYING.sub("#", str(name)), _VARYING.sub("#", path.partition("?")[0])
