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
"""It is a place of the program as it stands in a sentence: `function (file:line)`."""
THREAD_ID: Final = "thread.id"
STATUS_DESCRIPTION: Final = "otel.status_description"

SOURCE: Final = "flight_recorder.source"
"""It is the name of the source of runtime events that something was taken from."""
DURATION: Final = "flight_recorder.duration_ns"
"""It says in nanoseconds how long that took which made a trigger fire."""
LIMIT: Final = "flight_recorder.limit_ns"
"""It says in nanoseconds how long that may take."""
USUAL: Final = "flight_recorder.usual_ns"
"""It says in nanoseconds how long 99 % of the local roots of that name take at most."""
DEAD_PROCESS: Final = "flight_recorder.dead_process"
"""It is the process id of a process that died."""
CRASH: Final = "flight_recorder.crash"
"""It says what a process crashed of: `Segmentation fault`, say."""
CRASH_DEPTH: Final = "flight_recorder.crash.depth"
"""It says how many calls deep the crash was, of 100 that are told at most."""
CALLER: Final = "flight_recorder.caller"
"""It is the application's own function that called the one which is named, with file and line."""
SUPERVISOR: Final = "flight_recorder.supervisor"
"""It says who kills a process that takes longer than its limit."""
SILENT: Final = "flight_recorder.silent_ns"
"""It says in nanoseconds for how long the recorder's thread had no turn before its process died."""
EXIT_STATUS: Final = "flight_recorder.exit_status"
"""It says how a process that died ended: its exit code; of one that a signal killed, that signal's
number, negative."""
RARE_VALUE: Final = "flight_recorder.rare_value"
"""It is the value of an attribute that was not seen for an hour."""

GC_GENERATION: Final = "cpython.gc.generation"
GC_COLLECTED: Final = "cpython.gc.collected_objects"
GC_UNCOLLECTABLE: Final = "cpython.gc.uncollectable_objects"
GC_CPU: Final = "flight_recorder.gc.cpu_ns"
"""It says in nanoseconds how long a collection of all generations had a CPU."""

CALL: Final = "flight_recorder.call"
"""It is the native function that the innermost function is in, as the program names it."""
SAMPLES: Final = "flight_recorder.samples"
"""It says how many stack samples say so."""
RIVAL: Final = "flight_recorder.rival"
"""It says what the busiest of the other threads was doing, as `function (file:line)`."""
ONGOING: Final = "flight_recorder.ongoing"
"""It is true on what had not ended. Another event of the same source, thread and start may tell the
end."""
INTERRUPTED: Final = "flight_recorder.interrupted"
"""It is true on a cause that is of no span itself: its span is the one that it held up longest."""

WITHOUT_GIL: Final = "flight_recorder.without_gil"
"""It is true on a stack that was written by the last means: while nobody could take the GIL, or in
a crash."""

LOOP: Final = "flight_recorder.loop"
"""It is the class of an event loop."""
LOOP_STEPS: Final = "flight_recorder.loop.steps"
"""It says how many tasks and callbacks the samples of a busy event loop saw it in."""
LOOP_SEEN: Final = "flight_recorder.loop.seen"
"""It is the functions that the samples of a busy event loop saw it in."""

WAIT_KIND: Final = "flight_recorder.wait.kind"
"""It says what is waited for, in a word: `lock`, `queue`, `network`, `sleep`, `connection pool`,
…"""
WAIT_ON: Final = "flight_recorder.wait.on"
"""It says what exactly is waited for, as far as it is known: a lock's name in the program."""
WAIT_LIMIT: Final = "flight_recorder.wait.limit_ns"
"""It says after how many nanoseconds a wait gives up, as the function that waits has it."""
LIMIT_PLACE: Final = "flight_recorder.limit.place"
"""It says which function set the time limit that is over next, as `function (file:line)`."""
LIMIT_LEFT: Final = "flight_recorder.limit.left_ns"
"""It says how many nanoseconds there were until then."""
WAIT_DEATH: Final = "flight_recorder.wait.death"
"""It says of what exception a task died, and where, that had what is waited for: `ValueError in
function (file:line)`. It is looked for where nobody else has it."""
WAIT_SHARERS: Final = "flight_recorder.wait.sharers"
"""It says where those were who have the queue, the event or the condition that is waited for; or
where the event loop was, of which a turn is."""
HOLDER: Final = "flight_recorder.holder"
"""It says what the holder of a lock was doing: `function (file:line)`."""
HOLDER_THREAD_ID: Final = "flight_recorder.holder.thread_id"
HOLDER_TRACE_ID: Final = "flight_recorder.holder.trace_id"
HOLDER_SPAN_ID: Final = "flight_recorder.holder.span_id"
POOL_THREADS: Final = "flight_recorder.pool.threads"
POOL_BUSY: Final = "flight_recorder.pool.busy"
"""It says what the threads of a pool, or who had a connection of one, did: `function (file:line)`
each."""
POOL_TRACE_IDS: Final = "flight_recorder.pool.trace_ids"
"""It says for which traces they did so, in the same order; with empty texts where that is not
known."""
