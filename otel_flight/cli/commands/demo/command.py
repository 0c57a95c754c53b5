"""`otel-flight demo`: see the recorder at work within twenty seconds."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from otel_flight.assembly import ASSEMBLY
from otel_flight.cli.base import ExitCode, Invocation, pass_invocation
from otel_flight.cli.commands.demo.service_process import DemoService
from otel_flight.cli.commands.demo.stages import Stages
from otel_flight.errors import MissingExtra, NotAnIncident
from otel_flight.ground.clock import monotonic_ns
from otel_flight.incidents.flight_file import read_incident, read_manifest
from otel_flight.incidents.manifest import Cause
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.report.model.incident_report import build_report
from otel_flight.report.terminal.page import Page
from otel_flight.report.terminal.terminal import print_report

try:
    from otel_flight.cli.commands.demo.load import Load, ask, is_up
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    _has_client = False
else:
    _has_client = True

_POLL_SECONDS: Final = 0.1
_START_SECONDS: Final = 30.0
_INCIDENT_SECONDS: Final = 15.0
_DELIVERY_SECONDS: Final = 20.0
_SLOW: Final = "GET /report/{day}"
_FAILING: Final = "POST /orders"


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=6,
    show_default=True,
    help="How long to drive load before something goes wrong.",
)
@click.option("--endpoint", metavar="URL", help="Send the incidents to this OTLP backend as well.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="A directory for the incidents, instead of a temporary one.",
)
@pass_invocation
def demo(invocation: Invocation, *, seconds: float, endpoint: str | None, keep: Path | None) -> int:
    """Run a real service, make it fail, show the incident.

    Starts a FastAPI service under opentelemetry-instrument that knows nothing of the recorder,
    drives load, causes a request that is slow and one that fails, and shows what was kept of them.
    """
    if not _has_client:
        raise MissingExtra("demo", "the demo")
    # Like Ctrl-C: the service is ended before this process ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = (keep or Path(tempfile.mkdtemp(prefix="otel-flight-demo-"))).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    service = DemoService(directory, endpoint)
    try:
        with Stages(invocation.console) as stages, service:
            play = _Play(service, stages)
            slow, failing = asyncio.run(play.run(seconds, is_delivering=endpoint is not None))
            stages.begin("stop the service")
    except KeyboardInterrupt:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    slow = _print_incident(invocation, slow)
    _print_next(Page(invocation.console), directory, slow, failing)
    is_missing = endpoint is not None and not slow.state.delivered
    return ExitCode.NOT_DELIVERED if is_missing else ExitCode.OK


def _print_incident(invocation: Invocation, entry: SpoolEntry) -> SpoolEntry:
    """Print an incident as `show` does, and return it as it is in the spool by now."""
    spool = invocation.spool(entry.path.parent)
    slow = spool.find(entry.incident_id)
    copy = spool.json_path(slow)
    report = build_report(
        read_incident(slow.path),
        ASSEMBLY.rulebook,
        state=slow.state,
        json_copy=copy if copy.exists() else None,
        max_rows=30,
        max_neighbours=8,
        max_events=8,
    )
    Page(invocation.console).line()
    print_report(report, Page(invocation.console))
    return slow


class _Play:
    """The demo's course of events."""

    def __init__(self, service: DemoService, stages: Stages) -> None:
        self._service = service
        self._stages = stages
        self._spool = Spool(service.spool_directory, 1 << 40, 1 << 20)

    async def run(self, seconds: float, *, is_delivering: bool) -> tuple[SpoolEntry, SpoolEntry]:
        """Play it, and return the incidents of the slow and of the failing request."""
        stages, url = self._stages, self._service.url
        stages.begin("start a FastAPI service, instrumented")
        await self._until_up()
        stages.begin("drive load")
        async with Load(url) as load:
            await self._watch(load, seconds)
            stages.begin("make a request slow: a job holds its lock")
            await ask(url, "POST", "/admin/rebuild-index")
            started = monotonic_ns()
            await ask(url, "GET", "/report/today")
            stages.say(f"GET /report/today took {(monotonic_ns() - started) / 1e9:.1f} s")
            stages.begin("wait for its incident")
            slow = await self._incident(lambda cause: cause.subject == _SLOW)
            stages.begin("make a request fail: a declined card")
            status = await ask(url, "POST", "/orders?card=expired")
            stages.say(f"POST /orders answered {status}")
            stages.begin("wait for its incident")
            failing = await self._incident(lambda cause: cause.subject == _FAILING)
        stages.begin("deliver both" if is_delivering else "copy both to OTLP-JSON")
        await self._until_delivered()
        return slow, failing

    async def _until_up(self) -> None:
        async def is_ready() -> bool:
            return await is_up(self._service.url)

        deadline = monotonic_ns() + int(_START_SECONDS * 1e9)
        while not await is_ready():
            self._check("the service did not start", deadline)
            await asyncio.sleep(_POLL_SECONDS)
        self._stages.say(self._service.url)

    async def _watch(self, load: Load, seconds: float) -> None:
        started = monotonic_ns()
        while (passed := (monotonic_ns() - started) / 1e9) < seconds:
            self._check("the service did not survive", None)
            self._stages.say(f"{load.requests} requests, {seconds - passed:.0f} s to go")
            await asyncio.sleep(_POLL_SECONDS)
        self._stages.say(f"{load.requests} requests by now")

    async def _incident(self, is_wanted: Callable[[Cause], bool]) -> SpoolEntry:
        deadline = monotonic_ns() + int(_INCIDENT_SECONDS * 1e9)
        while True:
            for entry in self._spool.entries():
                if any(map(is_wanted, _causes(entry))):
                    self._stages.say(entry.incident_id)
                    return entry
            self._check("no incident was made", deadline)
            await asyncio.sleep(_POLL_SECONDS)

    async def _until_delivered(self) -> None:
        deadline = monotonic_ns() + int(_DELIVERY_SECONDS * 1e9)
        while not all(entry.state.delivered for entry in self._spool.entries()):
            errors = [entry.state.last_error for entry in self._spool.entries()]
            if any(errors) or monotonic_ns() > deadline:
                self._stages.say("failed" if any(errors) else "not all of it in time")
                return
            await asyncio.sleep(_POLL_SECONDS)
        where = self._spool.entries()[-1].state.endpoint
        self._stages.say(where if "://" in where else "no endpoint is given")

    def _check(self, what: str, deadline: int | None) -> None:
        """Give up when the service died or the time is over."""
        if self._service.has_ended:
            last = self._service.last_words()
            raise click.ClickException(f"{what}: {last} (see {self._service.log})")
        if deadline is not None and monotonic_ns() > deadline:
            raise click.ClickException(f"{what} in time: see {self._service.log}")


def _causes(entry: SpoolEntry) -> list[Cause]:
    try:
        return read_manifest(entry.path).causes
    except NotAnIncident:
        return []


def _print_next(page: Page, directory: Path, slow: SpoolEntry, failing: SpoolEntry) -> None:
    page.section("Next")
    page.verbatim(f"The incidents and the service's log are in {directory}. Try:")
    page.line()
    for command in (
        f"export OTEL_FLIGHT_SPOOL_DIRECTORY={shlex.quote(str(slow.path.parent))}",
        "otel-flight list",
        f"otel-flight show {failing.incident_id}  # the request that failed",
        f"otel-flight show {slow.incident_id} --all",
        "otel-flight serve --open  # both in the browser",
        "otel-flight export --all --endpoint http://localhost:4317",
    ):
        page.verbatim(f"  {command}")
