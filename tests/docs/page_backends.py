"""Real backends for a page that says `<!-- backends: jaeger tempo collector -->`, any of them.

On such a page:

- `jaeger:4317`, `jaeger:4318` and `jaeger:16686`, `tempo:4317`, `tempo:4318` and `tempo:3200` are
  the ports of real ones, which run before the first block. `localhost` in place of the name means
  the one that is named first.
- With `collector`, `otelcol` is on the PATH and `collector-config/` in the directory, unless the
  page is that folder's own. The page starts Collectors itself: with those files the first listens
  on `localhost:4317`, `localhost:4318`, `localhost:13133` (health) and `localhost:8888` (metrics).
- In the end Jaeger and Tempo must hold an incident.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, final

from tests.backends.backend_process import required_program
from tests.backends.scenario import KIND
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess
from tests.support.processes.service_process import free_port

_COLLECTOR_PORTS: Final = {
    "4317": "COLLECTOR_GRPC_PORT",
    "4318": "COLLECTOR_HTTP_PORT",
    "13133": "COLLECTOR_HEALTH_PORT",
    "8888": "COLLECTOR_METRICS_PORT",
}
_PORTS: Final = {
    "jaeger": {"4317": "grpc", "4318": "http", "16686": "query"},
    "tempo": {"4317": "grpc", "4318": "http", "3200": "query"},
}
_PROCESSES: Final = {"jaeger": JaegerProcess, "tempo": TempoProcess}


@final
class PageBackends:
    """Runs what a page asks for until the `with` block ends.

    Args:
        names: of the backends, as on the page.
        folder: for their data, and for the programs that the page starts itself.

    Attributes:
        replacements: the words on the page that name a port of theirs, and what stands for them.
        environment: for the commands of the page.
        programs: the folder that belongs on their PATH; None: none does.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self._names = names
        self._folder = folder
        self._running = ExitStack()
        self._processes: dict[str, JaegerProcess | TempoProcess] = {}
        self.replacements: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.programs: Path | None = None

    def __enter__(self) -> PageBackends:
        bare = self._prepare_collector() if "collector" in self._names else {}
        with ExitStack() as starting:
            for name in self._names:
                if name != "collector":
                    process = _PROCESSES[name](self._folder / name)
                    self._processes[name] = starting.enter_context(process)
            self._running = starting.pop_all()
        for name, process in self._processes.items():
            for shown, port_name in _PORTS[name].items():
                port = str(process.ports[port_name])
                self.replacements[f"{name}:{shown}"] = f"127.0.0.1:{port}"
                bare.setdefault(shown, port)
        # Last: a port with a name before it must not be taken for one without.
        self.replacements.update(bare)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.close()

    def wait_for_incidents(self, timeout_seconds: float = 30.0) -> None:
        """Block until each Jaeger and each Tempo shows an incident.

        Raises:
            BackendFailedError: one has none in time.
        """
        for process in self._processes.values():
            probe = partial(_has_incident, process)
            process.wait_for("no incident came", probe, timeout_seconds)

    def _prepare_collector(self) -> dict[str, str]:
        """Make `otelcol` callable, and return the ports of the first that a page starts."""
        program = required_program("collector")
        self.programs = self._folder / "programs"
        self.programs.mkdir(parents=True)
        (self.programs / "otelcol").symlink_to(program)
        ports = {shown: str(free_port()) for shown in _COLLECTOR_PORTS}
        self.environment["COLLECTOR_HOST"] = "127.0.0.1"
        self.environment.update(
            {variable: ports[shown] for shown, variable in _COLLECTOR_PORTS.items()}
        )
        return ports


def _has_incident(process: JaegerProcess | TempoProcess) -> bool:
    if isinstance(process, TempoProcess):
        return bool(process.search(f'{{ span.{KIND} = "incident" }}'))
    services = process.services()
    return any(process.find_traces(service, tags={KIND: "incident"}) for service in services)
