"""The spans that have started and not ended: what a hung or killed process was doing."""

from __future__ import annotations

import itertools
from asyncio import Task
from typing import Any, Final
from weakref import ref

from otel_flight.interpreter.concurrency.greenlets import GreenletReference

_MOST_ANCESTORS: Final = 64
"""A local root is looked for at most this many parents up: it is done on the application's thread,
for spans that failed."""

OpenRoot = tuple[Any, int, "ref[Task[Any]] | GreenletReference | None", int]
"""A local root that is being served: the span, `threading.get_ident()` of the thread that started
it, the asyncio task or greenlet it started in, and when that was, by the monotonic clock: a span's
own times may be anything. It must not keep the task alive: one that nobody refers to any more says
so when its exception was never retrieved. A plain tuple: making a named one costs 0.25 µs, for
every request."""


def task_of(root: OpenRoot) -> Task[Any] | None:
    """Return the task that a local root started in, None when there was none, or it is gone."""
    reference = root[2]
    if reference is None or isinstance(reference, GreenletReference):
        return None
    return reference()


def greenlet_of(root: OpenRoot) -> Any:
    """Return the greenlet that a local root started in, None when there was none, or it is gone."""
    reference = root[2]
    return reference() if isinstance(reference, GreenletReference) else None


class OpenSpans:
    """Spans by span id, oldest first. No lock: every step is one dict operation.

    Attributes:
        spans: all open spans; the span processor writes it.
        roots: the local roots among them.
        silent: ids of open local roots whose trace must not make an incident.
        late: ids of spans that were recorded although nobody said that they had ended.
        evicted: how many spans were removed because too many were open; most likely they never end.
    """

    __slots__ = (
        "_checkpointed",
        "_limit",
        "_previous",
        "evicted",
        "late",
        "roots",
        "silent",
        "spans",
    )

    def __init__(self, limit: int) -> None:
        self.spans: dict[int, Any] = {}
        self.roots: dict[int, OpenRoot] = {}
        self.silent: dict[int, None] = {}
        self.late: dict[int, None] = {}
        self.evicted = 0
        self._limit = limit
        self._previous: set[int] = set()
        self._checkpointed: set[int] = set()

    def local_root_of(self, span: Any) -> Any | None:
        """Return the open local root above a span; None when there is none, or it is not known.

        Any thread. That is so for a local root itself, and where a span in between has ended.
        """
        for _ in range(_MOST_ANCESTORS):
            parent = span.parent
            if parent is None or parent.is_remote:
                return None
            root = self.roots.get(parent.span_id)
            if root is not None:
                return root[0]
            span = self.spans.get(parent.span_id)
            if span is None:
                return None
        return None

    def local_root_id(self, span_id: int) -> int:
        """Return the id of the open local root that a span is or is below; 0 when there is none."""
        if span_id in self.roots:
            return span_id
        span = self.spans.get(span_id)
        root = None if span is None else self.local_root_of(span)
        context = None if root is None else root.get_span_context()
        return 0 if context is None else context.span_id

    def newest_roots(self, most: int) -> list[OpenRoot]:
        """Return the newest local roots, the newest first; none if one began or ended meanwhile."""
        try:
            return list(itertools.islice(reversed(self.roots.values()), most))
        except RuntimeError:
            return []

    def told_late(self, span_id: int) -> None:
        """Know again a span that is recorded now, if somebody says after all that it ended."""
        if len(self.late) >= self._limit:
            self.late.clear()
        self.late[span_id] = None

    def bound(self) -> None:
        """Evict the oldest spans over the limit, and roots that are not open any more. Ticker only.

        The roots of spans whose end could not be recorded would stay for ever otherwise.
        """
        for span_id in self.roots.keys() - self.spans.keys():
            self.roots.pop(span_id, None)
        for span_id in self.silent.keys() - self.spans.keys():
            self.silent.pop(span_id, None)
        for span_id in list(self.spans)[: max(0, len(self.spans) - self._limit)]:
            if self.spans.pop(span_id, None) is not None:
                self.evicted += 1
            self.roots.pop(span_id, None)

    def take_long_open(self) -> list[tuple[Any, int]]:
        """Return spans open since before the last call that were not returned yet. Ticker only.

        Returns:
            Pairs of span and thread id (0 when not a local root), oldest first.
        """
        now_open = dict(self.spans)
        current = now_open.keys()
        self._checkpointed &= current
        fresh = (self._previous & current) - self._checkpointed
        self._checkpointed |= fresh
        self._previous = set(current)
        if not fresh:
            return []
        return [
            (span, self._thread_of(span_id))
            for span_id, span in now_open.items()
            if span_id in fresh
        ]

    def _thread_of(self, span_id: int) -> int:
        root = self.roots.get(span_id)
        return root[1] if root is not None else 0
