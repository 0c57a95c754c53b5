"""Every code block of the README, the documentation and the examples does what its page says."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.backends.backend_process import needs_backends
from tests.docs.code_blocks import (
    LANGUAGES,
    blocks_of,
    needed_backends,
    needed_modules,
    output_matches,
)
from tests.docs.page_backends import PageBackends
from tests.docs.page_session import PageSession
from tests.support.processes.service_process import free_port
from tests.support.receivers.otlp_receiver import OtlpReceiver

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (
        ROOT / "README.md",
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / "examples").glob("*/README.md"),
        *ROOT.glob("collector-config/README.md"),
    )
    if "_build" not in path.parts
)
PAGES_WITH_CODE = [page for page in PAGES if blocks_of(ROOT / page)]
SERVICE_PORTS = ("8000", "8001")
MOST_NOT_EXECUTED = 20


def words_of(page: Path) -> str:
    """Return all that is executed or saved on a page."""
    return "".join(block.text for block in blocks_of(ROOT / page) if not block.reason)


def skip_without_tools(page: Path) -> None:
    """Skip a page that uses what this environment does not have."""
    for module in needed_modules(ROOT / page):
        pytest.importorskip(module)
    for tool in ("bash", "curl"):
        if shutil.which(tool) is None and (tool == "bash" or f"{tool} " in words_of(page)):
            pytest.skip(f"{tool} is not installed")


_SAYS_IT = "otel-flight kept incident"
"""What the log says of each incident stands in the pages that are about it."""


def environment_of(home: Path, programs: Path | None) -> dict[str, str]:
    """Return the variables of a reader who sits at a fresh account.

    Args:
        home: their home directory.
        programs: a folder of programs they have installed; None: no others than we have.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "XDG_")) or name == "OTEL_FLIGHT_RING_DIRECTORY"
    }
    installed = [Path(sys.executable).parent, *([programs] if programs else [])]
    path = os.pathsep.join([*map(str, installed), os.environ["PATH"]])
    return kept | {
        "PATH": path,
        "HOME": str(home),
        "COLUMNS": "100",
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
        # A page waits three seconds for the two that an incident stays open; here it is in less.
        "OTEL_FLIGHT_TAIL": "500ms",
        # What a page shows is there however slow this machine is.
        "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "30s",
    }


def parameter_of(page: Path) -> ParameterSet:
    """Return the page, with the marks of a test against its backends if it asks for any."""
    names = needed_backends(ROOT / page)
    marks = [*needs_backends(*names), pytest.mark.timeout(180)] if names else []
    return pytest.param(page, marks=marks, id=str(page))


def prepare_directory(page: Path, directory: Path) -> None:
    """Copy what a reader of the page has before them: its own folder, or the Collector's files."""
    folder = page.parts[0]
    if folder in {"examples", "collector-config"}:
        shutil.copytree(ROOT / page.parent, directory)
    if folder != "collector-config" and "collector" in needed_backends(ROOT / page):
        # An example has it at ../../collector-config.
        beside = directory.parents[1] if folder == "examples" else directory
        shutil.copytree(ROOT / "collector-config", beside / "collector-config")


@pytest.mark.parametrize("page", [parameter_of(page) for page in PAGES_WITH_CODE])
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    """Followed from top to bottom, each block succeeds and prints what the page shows."""
    skip_without_tools(page)
    words = words_of(page)
    names = needed_backends(ROOT / page)
    directory = tmp_path / "home" / "work"
    prepare_directory(page, directory)
    ports = {shown: str(free_port()) for shown in SERVICE_PORTS}
    with OtlpReceiver() as receiver, PageBackends(names, tmp_path / "backends") as backends:
        receiver_ports = {
            "4317": receiver.grpc_endpoint.rpartition(":")[2],
            "4318": receiver.http_endpoint.rpartition(":")[2],
        }
        replacements = {
            **ports,
            **(backends.replacements if names else receiver_ports),
            "sleep 3": "sleep 1.5",
        }
        servers = {port: f"tcp://127.0.0.1:{port}" for port in ports.values()}
        environment = environment_of(directory.parent, backends.programs) | backends.environment
        if _SAYS_IT not in (ROOT / page).read_text(encoding="utf-8"):
            environment["OTEL_FLIGHT_INCIDENT_LOG"] = "off"  # pages are about other things

        with PageSession(directory, environment, replacements, servers) as session:
            for block in blocks_of(ROOT / page):
                if not block.reason:
                    session.follow(block)
            session.end()

        backends.wait_for_incidents()
        if not names and ("4317" in words or "4318" in words):
            sent = {received.span.name for received in receiver.spans()}
            assert any(name.startswith("incident: ") for name in sent)


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=str)
def test_no_block_escapes(page: Path) -> None:
    """Each block is of a language that is understood here, and a saved file is used afterwards."""
    for number, block in enumerate(blocks := blocks_of(ROOT / page)):
        assert block.language in LANGUAGES, block.place
        if block.language in {"yaml", "ini"} and not block.reason:
            assert block.file_name, f"{block.place}: say which file it is"
        if block.file_name and not block.reason:
            stem = block.file_name.removesuffix(".py")
            later = "".join(each.text for each in blocks[number + 1 :] if not each.reason)
            assert stem in later, f"{block.place}: {block.file_name} is not used"


def test_few_blocks_are_not_executed() -> None:
    """What cannot run in a test stays the exception, and each says why."""
    reasons = Counter(
        block.reason for page in PAGES_WITH_CODE for block in blocks_of(ROOT / page) if block.reason
    )

    assert sum(reasons.values()) <= MOST_NOT_EXECUTED, reasons


@pytest.mark.parametrize(
    ("shown", "actual", "is_match"),
    [
        ("one ... three\n", "one two three\n", True),
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("one  \n", "one\n", True),
        ("one two\n", "one   two\n", True),
        ("one\n", "one\ntwo\n", False),
        ("(1+1)\n", "(11)\n", False),
    ],
)
def test_output_is_compared(shown: str, actual: str, is_match: bool) -> None:
    """Three dots stand for any text and nothing else does."""
    assert output_matches(shown, actual) is is_match


def test_needed_modules_exist_somewhere() -> None:
    """A page asks for packages of the extras, so that no misspelling skips it for ever."""
    known = {"opentelemetry.configuration", "opentelemetry.exporter.otlp.json.file"}

    asked = {module for page in PAGES for module in needed_modules(ROOT / page)}

    assert asked <= known
    assert importlib.util.find_spec("opentelemetry") is not None
