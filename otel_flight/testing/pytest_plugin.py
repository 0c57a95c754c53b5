"""What `pytest --flight` does: a recorder for each test, and an incident of each that went wrong.

Nothing fires by itself, so an error that a test expects makes no incident: the test's outcome does.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.assembly import ASSEMBLY
from otel_flight.errors import CannotRecord, FlightError
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import WindowSpan
from otel_flight.installation import get_recorder
from otel_flight.report.html.page import html_page
from otel_flight.report.markdown.markdown import markdown
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import build_report
from otel_flight.testing.flight_recording import FlightRecording, flight_recording

FAILED: Final = "test failed"
SLOW: Final = "slow test"
_SETTINGS: Final[dict[str, Any]] = {
    "error_span": "off",
    "exception_trigger": False,
    "log_exception_trigger": False,
    "slow_root_seconds": None,
    "slow_open_root": False,
    "stuck_span_seconds": None,
    "gc_pause_trigger_seconds": None,
    "loop_stall_trigger_seconds": None,
    "memory_trigger_share": None,
    "throttling_trigger_share": None,
    "deadline_trigger": False,
}
"""A recorder of a test has these settings: nothing fires but the test's outcome."""
_SECTION: Final = "flight incident"
"""The part of a test's report that names the incident has this title."""
_PROPERTY: Final = "flight_incident"
"""The property of a test in the JUnit report has this name."""
_DIRECTORY: Final = "flight_directory"
_NOT_IN_A_FILE: Final = re.compile(r"[^\w.-]+")
_LONGEST_NAME: Final = 120
"""A file's name has at most so many characters of the test's."""


class FlightPlugin:
    """Records one test at a time. In a worker of xdist, those that run there.

    Args:
        config: of pytest.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._slow_seconds = float(config.getoption("flight_slow"))
        self._directory = _directory(config)
        self._recording: FlightRecording | None = None
        self._kept: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where incidents go."""
        node.workerinput[_DIRECTORY] = str(self._directory)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Record while a test runs, unless it or the application has a recorder of its own."""
        with ExitStack() as stack:
            if "flight" not in getattr(item, "fixturenames", ()) and get_recorder() is None:
                try:
                    recording = flight_recording(_provider(), **_SETTINGS)
                    self._recording = stack.enter_context(recording)
                except CannotRecord as error:
                    item.add_report_section("setup", "flight", f"nothing is recorded: {error}")
            yield
            self._recording = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, None]:
        """Keep the incident of a test that failed, or took long, once all know that it did."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        is_slow = report.when == "call" and call.duration > self._slow_seconds
        if self._recording is None or not (report.failed or is_slow):
            return
        if item.nodeid in self._kept:
            return
        reason = FAILED if report.failed else SLOW
        try:
            path = self._keep(self._recording, item.nodeid, reason)
        except (FlightError, OSError, TimeoutError) as error:
            report.sections.append((_SECTION, f"none could be kept: {error}"))
            return
        self._kept.add(item.nodeid)
        report.sections.append((_SECTION, str(path)))
        item.user_properties.append((_PROPERTY, str(path)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which incidents there are, those of workers included."""
        lines = [
            f"{report.nodeid}: {text}"
            for reports in terminalreporter.stats.values()
            for report in reports
            for title, text in getattr(report, "sections", ())
            if title == _SECTION
        ]
        if lines:
            terminalreporter.section("flight incidents")
            for line in lines:
                terminalreporter.write_line(line)

    def _keep(self, recording: FlightRecording, test: str, reason: str) -> Path:
        """Make the incident of a test, write it, and return where it can be read."""
        span = _most_telling(recording.recorder.snapshot().window.spans())
        with trace.use_span(_as_current(span)):
            recording.recorder.trigger(reason, **{"test.case.name": test})
        incident = recording.incidents()[-1]
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{_file_name(test)}.md"
        _write(incident, path)
        return path


def _directory(config: pytest.Config) -> Path:
    """Return where incidents go: where it is said, else beside the JUnit report, else here."""
    told = getattr(config, "workerinput", {}).get(_DIRECTORY)
    if told is not None:
        return Path(told)
    asked = config.getoption("flight_directory")
    report = config.getoption("xmlpath", None)
    here = config.invocation_params.dir
    return here / (asked or (Path(report).expanduser().parent / "flight" if report else "flight"))


def _provider() -> trace.TracerProvider:
    """Return the global tracer provider; where none is set by the first test, set one."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(TracerProvider())
    return trace.get_tracer_provider()


def _most_telling(spans: Iterable[WindowSpan]) -> WindowSpan | None:
    """Return the last span that failed, else the longest of those that have no parent here."""
    best: WindowSpan | None = None
    for span in spans:
        if not (span.is_error or span.record.is_local_root):
            continue
        if best is None or _rank(span) >= _rank(best):
            best = span
    return best


def _rank(span: WindowSpan) -> tuple[bool, int]:
    return span.is_error, span.end_ns if span.is_error else span.duration_ns


def _as_current(span: WindowSpan | None) -> trace.Span:
    if span is None:
        return trace.INVALID_SPAN
    return trace.NonRecordingSpan(
        trace.SpanContext(span.record.trace_id, span.record.span_id, is_remote=False)
    )


def _write(incident: Incident, path: Path) -> None:
    """Write an incident as Markdown, and its page and its file beside it."""
    report = build_report(incident, ASSEMBLY.rulebook)
    path.with_suffix(".html").write_bytes(html_page(report, incident, BackendLinks()))
    path.write_text(markdown(report), encoding="utf-8", errors="replace")
    if incident.path is not None:
        shutil.copyfile(incident.path, path.with_suffix(".flight"))


def _file_name(test: str) -> str:
    """Return a name for the files of a test; two tests have different ones."""
    name = _NOT_IN_A_FILE.sub("-", test)[-_LONGEST_NAME:].strip("-.")
    return f"{name}-{blake2b(test.encode(errors='replace'), digest_size=4).hexdigest()}"
