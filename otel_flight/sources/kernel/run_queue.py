"""How long a thread was ready to run and had no CPU, as the scheduler of Linux counts it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

from otel_flight.ground.clock import monotonic_ns, process_time_ns
from otel_flight.interpreter.threads import native_id_of, thread_with
from otel_flight.names import process_attributes as names
from otel_flight.sources.kernel.files import number_in, read_text

OWN_THREAD: Final = "thread-self"
_LEAST_OF_OTHERS: Final = 0.7
"""While a thread waits for the GIL, others use the CPU for at least this part of the time."""
_FEWEST_FIELDS: Final = 2
"""`schedstat` has at least two fields: nanoseconds on a CPU, and nanoseconds ready without one."""


class Scheduled(NamedTuple):
    """What the scheduler counted for a thread since it began."""

    cpu_ns: int
    queued_ns: int


class _Reading(NamedTuple):
    native_id: int
    moment_ns: int
    scheduled: Scheduled
    process_cpu_ns: int


class RunQueues:
    """What became of the threads that serve requests, from one look to the next.

    One thread only: the ticker. A look reads a file, in 7 µs, and so lets others have the
    interpreter: whatever else is to be seen at that moment must have been seen before.

    Args:
        proc: where the process file system is mounted.
    """

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._last: dict[int, _Reading] = {}

    def since_last(self, span_id: int, thread_id: int, *, ran: bool = False) -> Mapping[str, int]:
        """Return attributes of what a thread got and did not get since the last look.

        Empty at the first look, when another thread served the request then, and where the kernel
        does not tell.

        Args:
            span_id: of the local root that the thread serves.
            thread_id: `threading.get_ident()` of it.
            ran: whether it ran at both looks, as far as Python and the kernel tell: then, while it
                did nothing and others used the CPU, it waited for the GIL.
        """
        before = self._last.pop(span_id, None)
        thread = thread_with(thread_id)
        native_id = 0 if thread is None else native_id_of(thread)
        if not native_id:
            return {}
        scheduled = read_scheduled(self._proc, f"self/task/{native_id}")
        if scheduled is None:
            return {}
        now_ns = monotonic_ns()
        reading = self._last[span_id] = _Reading(native_id, now_ns, scheduled, process_time_ns())
        if before is None or before.native_id != native_id:
            return {}
        own_cpu_ns = scheduled.cpu_ns - before.scheduled.cpu_ns
        queued_ns = scheduled.queued_ns - before.scheduled.queued_ns
        others_ns = max(0, reading.process_cpu_ns - before.process_cpu_ns - own_cpu_ns)
        found = {names.RUN_QUEUE: queued_ns, names.PROCESS_CPU: others_ns}
        idle_ns = now_ns - before.moment_ns - own_cpu_ns - queued_ns
        slowed = (own_cpu_ns + queued_ns) / own_cpu_ns if own_cpu_ns > 0 else 1
        if ran and was_gil_wait(idle_ns, others_ns, slowed):
            found[names.GIL_WAIT] = idle_ns
        return found

    def keep(self, span_ids: Container[int]) -> None:
        """Forget all local roots but these."""
        self._last = {key: each for key, each in self._last.items() if key in span_ids}


def was_gil_wait(idle_ns: int, others_ns: int, slowed: float = 1) -> bool:
    """Return whether a thread that ran before and after waited for the GIL while it did nothing.

    Args:
        idle_ns: how long it was neither on a CPU nor ready to be.
        others_ns: how long the other threads of the process were on one.
        slowed: how many times as long as it ran it was ready to. Who has the GIL waits for a CPU,
            too, where there are too few: that much longer than it uses it.
    """
    return 0 < idle_ns * _LEAST_OF_OTHERS <= others_ns * slowed


def read_scheduled(proc: str, thread: str = OWN_THREAD) -> Scheduled | None:
    """Return what the scheduler counted for a thread; None where the kernel does not tell.

    Args:
        proc: where the process file system is mounted.
        thread: its directory in there.
    """
    numbers = [number_in(field) for field in read_text(f"{proc}/{thread}/schedstat").split()]
    if len(numbers) < _FEWEST_FIELDS or numbers[0] is None or numbers[1] is None:
        return None
    return Scheduled(numbers[0], numbers[1])
