"""The real backends that some benchmarks run against, on the core of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from benchmarks.measuring import cores
from tests.backends.backend_process import BackendProcess
from tests.backends.sources import backend
from tests.support.backends.collector_process import CollectorProcess
from tests.support.backends.jaeger_process import JaegerProcess

_Backend = TypeVar("_Backend", bound=BackendProcess)

_COLLECTOR = """\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc}
      http:
        endpoint: 127.0.0.1:{http}
processors:
  tail_sampling:
    decision_wait: 5s
    num_traces: 100000
    policies:
      - name: errors
        type: status_code
        status_code: {{status_codes: [ERROR]}}
exporters:
  nop:
  file:
    path: {kept}
    format: proto
extensions:
  health_check:
    endpoint: 127.0.0.1:{health}
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [{processor}]
      exporters: [{exporter}]
  telemetry:
    metrics:
      level: none
"""


class BackendsMissingError(RuntimeError):
    """A benchmark needs a backend that is not built here."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"{' and '.join(names)} not built: run `make backends` first")


def require(*names: str) -> None:
    """Do nothing if these backends are built.

    Raises:
        BackendsMissingError: One of them is not.
    """
    missing = [name for name in names if not backend(name).is_built()]
    if missing:
        raise BackendsMissingError(missing)


@contextmanager
def collector(
    folder: Path, *, processor: str = "", keeps: bool = False
) -> Iterator[CollectorProcess]:
    """Run a Collector that takes OTLP.

    Args:
        folder: For its files.
        processor: Name of the one processor between receiver and exporter; empty: none.
        keeps: Whether what comes out is written to `kept_path`; else it is thrown away.
    """

    def configuration(ports: Mapping[str, int]) -> str:
        exporter = "file" if keeps else "nop"
        kept = kept_path(folder)
        return _COLLECTOR.format(processor=processor, exporter=exporter, kept=kept, **ports)

    with _on_its_core(CollectorProcess(folder, configuration)) as process:
        yield process


@contextmanager
def jaeger(folder: Path) -> Iterator[JaegerProcess]:
    """Run a Jaeger that keeps its spans in memory."""
    with _on_its_core(JaegerProcess(folder)) as process:
        yield process


def kept_path(folder: Path) -> Path:
    """Return where a Collector writes what comes out of it."""
    return folder / "kept.binpb"


def cpu_seconds(process: BackendProcess) -> float:
    """Return the processor time a backend has taken so far."""
    # clock_getcpuclockid(3) of Linux: to the nanosecond, where /proc counts in hundredths.
    return time.clock_gettime(~process.pid << 3 | 2)


@contextmanager
def _on_its_core(process: _Backend) -> Iterator[_Backend]:
    with ExitStack() as stack:
        with cores.children_on(cores.OTHERS):
            stack.enter_context(process)
        yield process
