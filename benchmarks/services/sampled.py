"""What recording everything costs a service whose sampler drops 99 of 100 requests.

The same service as in `service`, against the SDK that makes no spans of what is dropped.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack

from benchmarks.measuring import variants
from benchmarks.measuring.figures import Budget, Result
from benchmarks.measuring.load_generator import LoadGenerator
from benchmarks.measuring.receiver_process import ReceiverProcess
from benchmarks.services.measured_service import start_service
from benchmarks.services.service_slices import Size, measure_slices, slice_figures

SHARE = 0.01
NAMES = (variants.BARE, variants.INSTALLED, variants.IN_PYTHON, variants.HEAVY)
_BUDGETS = {
    ("throughput", variants.INSTALLED): Budget(limit=1.05, is_floor=True),
    ("throughput", variants.IN_PYTHON): Budget(limit=0.97, is_floor=True),
}
_FULL = Size(processes=3, rounds=14, slice_seconds=0.75)
_SMOKE = Size(processes=1, rounds=1, slice_seconds=0.2)


def run(*, smoke: bool) -> Result:
    """Measure all variants and compare each with the SDK that drops."""
    size = _SMOKE if smoke else _FULL
    with ExitStack() as stack:
        receiver = stack.enter_context(ReceiverProcess())
        generator = stack.enter_context(LoadGenerator())
        servers = {
            name: [
                start_service(name, receiver.endpoint, stack, sampled_share=SHARE)
                for _ in range(size.processes)
            ]
            for name in variants.available(NAMES)
        }
        for server in itertools.chain(*servers.values()):
            server.wait_until_ready()
        slices = measure_slices(servers, generator, size)
    figures = slice_figures(slices, variants.BARE, _BUDGETS, "to dropping")
    return Result(benchmark="sampled", figures=figures, notes=[str(size)])
