"""The names of attributes that sources write into runtime events and that explanations look for.

They go out as they are: everything of ours is under `flight_recorder.`, what the semantic
conventions name keeps that name.
"""

from __future__ import annotations

from typing import Final

FUNCTION: Final = "code.function.name"
FILE: Final = "code.file.path"
LINE: Final = "code.line.number"
LOCATION: Final = "code.location"
"""A place of the program as it stands in a sentence: `function (file:line)`."""
THREAD_ID: Final = "thread.id"
STATUS_DESCRIPTION: Final = "otel.status_description"

SOURCE: Final = "flight_recorder.source"
"""The name of the source of runtime events that something was taken from."""
DURATION: Final = "flight_recorder.duration_ns"
"""How long it took that made a trigger fire, in nanoseconds."""
LIMIT: Final = "flight_recorder.limit_ns"
"""How long it may take, in nanoseconds."""

GC_GENERATION: Final = "cpython.gc.generation"
GC_COLLECTED: Final = "cpython.gc.collected_objects"
GC_UNCOLLECTABLE: Final = "cpython.gc.uncollectable_objects"

CALL: Final = "flight_recorder.call"
"""The function written in C that the innermost function is in, as the program names it."""
SAMPLES: Final = "flight_recorder.samples"
"""How many stack samples say so."""
ONGOING: Final = "flight_recorder.ongoing"
"""True: it had not ended. Another event of the same source, thread and start may tell the end."""

LOOP: Final = "flight_recorder.loop"
"""The class of an event loop."""
LOOP_STEPS: Final = "flight_recorder.loop.steps"
"""How many tasks and callbacks the samples of a busy event loop saw it in."""
LOOP_SEEN: Final = "flight_recorder.loop.seen"
"""The functions that the samples of a busy event loop saw it in."""

WAIT_KIND: Final = "flight_recorder.wait.kind"
"""What is waited for, in a word: `lock`, `queue`, `network`, `sleep`, `connection pool`, …"""
WAIT_ON: Final = "flight_recorder.wait.on"
"""What exactly, as far as it is known: a lock's name in the program."""
HOLDER: Final = "flight_recorder.holder"
"""What the holder of a lock was doing: `function (file:line)`."""
HOLDER_THREAD_ID: Final = "flight_recorder.holder.thread_id"
HOLDER_TRACE_ID: Final = "flight_recorder.holder.trace_id"
HOLDER_SPAN_ID: Final = "flight_recorder.holder.span_id"
POOL_THREADS: Final = "flight_recorder.pool.threads"
POOL_BUSY: Final = "flight_recorder.pool.busy"
"""What the threads of a pool, or who had a connection of one, did: `function (file:line)` each."""
POOL_TRACE_IDS: Final = "flight_recorder.pool.trace_ids"
"""For which traces they did, in the same order; empty texts where that is not known."""
