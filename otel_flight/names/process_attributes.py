"""The names of attributes of what is recorded about the process as a whole, and its container.

Sources write them, triggers and findings read them. What the semantic conventions name keeps that
name, where they have an attribute for its parts the name goes on after a dot.
"""

from __future__ import annotations

from typing import Final

MEMORY: Final = "process.memory.usage"
"""It counts the bytes in physical memory."""
VIRTUAL_MEMORY: Final = "process.memory.virtual"
CPU_TIME: Final = "process.cpu.time"
"""It says how many seconds of CPU time the process has used since it started."""
CPU_UTILIZATION: Final = "process.cpu.utilization"
"""It is the part of the CPUs that may be used that was used since the last time."""
THREADS: Final = "process.thread.count"
OPEN_FILES: Final = "process.open_file_descriptor.count"
SWITCHES_VOLUNTARY: Final = "process.context_switches.voluntary"
SWITCHES_INVOLUNTARY: Final = "process.context_switches.involuntary"
MAJOR_FAULTS: Final = "process.paging.faults.major"
TASKS: Final = "flight_recorder.asyncio.tasks"
"""It counts the asyncio tasks that exist, of all loops."""

CONTAINER_MEMORY: Final = "container.memory.usage"
"""It counts the bytes that the control group accounts for, file cache included."""
CONTAINER_MEMORY_HELD: Final = "flight_recorder.container.memory.held"
"""It counts those of these bytes that the kernel cannot take back as file cache."""
CONTAINER_MEMORY_LIMIT: Final = "flight_recorder.container.memory.limit"

OOM_KILLS: Final = "flight_recorder.container.oom_kills"
"""It counts how often the kernel killed a process of the container as memory ran out; of a process
that died so, how often that was since it was last seen."""

CPU_LIMIT: Final = "flight_recorder.container.cpu.limit"
"""It says how many CPUs the control group may use, such as 0.5."""
THROTTLED_PERIODS: Final = "flight_recorder.throttled.periods"
"""It says in how many accounting periods (100 ms each, mostly) the limit was reached."""
THROTTLED_TIME: Final = "flight_recorder.throttled.time_ns"
"""It is what the kernel counts: the sum over CPUs of the time for which work on them was held
back."""
HELD_BACK: Final = "flight_recorder.held_back_ns"
"""It is the time the process was held back as a clock on the wall has it: an estimate."""

STALLED: Final = "flight_recorder.pressure.stalled_ns"
"""It says how long at least one process waited for the resource."""
FULLY_STALLED: Final = "flight_recorder.pressure.fully_stalled_ns"
"""It says how long all processes that had something to do waited for it."""
PRESSURE_SCOPE: Final = "flight_recorder.pressure.scope"
"""It says whose processes waited: `container` or `machine`."""

LATE: Final = "flight_recorder.late_ns"
"""It says how late the recorder's thread was woken."""
PROCESS_CPU: Final = "flight_recorder.process.cpu_ns"
"""It is the CPU time of the other threads of the process meanwhile."""
RUN_QUEUE: Final = "flight_recorder.run_queue_ns"
"""It says how long the thread that was looked at was ready to run meanwhile and had no CPU; of a
late ticker it tells of that itself."""
GIL_WAIT: Final = "flight_recorder.gil_wait_ns"
"""It says how long the thread that was looked at waited meanwhile for the GIL, which others had."""
HOLDER_CPU: Final = "flight_recorder.holder.cpu_ns"
"""It is the CPU time of the thread that held the GIL."""
CONTENDERS: Final = "flight_recorder.contenders"
"""It says how many threads shared the GIL meanwhile, of those that are still there."""
