"""What keeping spans costs a real service: FastAPI under uvicorn, eleven spans a request."""

from __future__ import annotations

import itertools
from contextlib import ExitStack

from benchmarks.measuring import cores, variants
from benchmarks.measuring.figures import Budget, Result
from benchmarks.measuring.load_generator import LoadGenerator
from benchmarks.measuring.receiver_process import ReceiverProcess
from benchmarks.services import service_app
from benchmarks.services.measured_service import MeasuredService, start_service
from benchmarks.services.service_slices import CONNECTIONS, Size, measure_slices, slice_figures

NAMES = (
    variants.BARE,
    variants.EMPTY,
    variants.INSTALLED,
    variants.IN_PYTHON,
    variants.HEAVY,
    variants.DEQUE,
    variants.BATCH,
    variants.BOTH,
)
_BUDGETS = {
    ("throughput", variants.INSTALLED): Budget(limit=1.6, is_floor=True),
    ("p99_ms", variants.INSTALLED): Budget(limit=0.8),
    ("throughput", variants.IN_PYTHON): Budget(limit=1.35, is_floor=True),
    ("throughput", variants.HEAVY): Budget(limit=0.93, is_floor=True),
    ("p99_ms", variants.HEAVY): Budget(limit=1.1),
}
_FULL = Size(processes=3, rounds=14, slice_seconds=0.75)
_SMOKE = Size(processes=1, rounds=1, slice_seconds=0.2)


def run(*, smoke: bool) -> Result:
    """Measure all variants and compare each with the bare SDK."""
    size = _SMOKE if smoke else _FULL
    with ExitStack() as stack:
        receiver = stack.enter_context(ReceiverProcess())
        generator = stack.enter_context(LoadGenerator())
        servers = {
            name: [start_service(name, receiver.endpoint, stack) for _ in range(size.processes)]
            for name in variants.available(NAMES)
        }
        for server in itertools.chain(*servers.values()):
            server.wait_until_ready()
        spans_per_request = _spans_per_request(servers[variants.DEQUE][0])
        slices = measure_slices(servers, generator, size)
    notes = [
        f"{spans_per_request} spans a request, {CONNECTIONS} connections",
        str(size),
    ]
    if not cores.are_separate():
        notes.append("one core only: the load generator competed with the service")
    figures = slice_figures(slices, variants.BARE, _BUDGETS, "to bare")
    return Result(benchmark="service", figures=figures, notes=notes)


def _spans_per_request(server: MeasuredService) -> int:
    """Return what one request adds to the spans that the server's deque holds."""
    before = server.get(service_app.HELD_PATH)["spans"]
    server.get(service_app.WORK_PATH)
    after = server.get(service_app.HELD_PATH)["spans"]
    return int(after - before)
