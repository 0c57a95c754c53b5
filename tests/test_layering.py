"""Holds the package to its layers, and shows on small wrong trees that the check can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.layering import MOST_LINES, ROOT, read_modules, violations

PACKAGE = Path(__file__).parent.parent / ROOT


def write_tree(folder: Path, files: dict[str, str]) -> Path:
    """Write a package of the given files, each with the `__init__.py` files above it."""
    root = folder / ROOT
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        for parent in path.relative_to(root).parents:
            (root / parent / "__init__.py").touch()
    return root


def test_the_package_keeps_its_layers() -> None:
    """Every module imports only from below, is short, and has a name that says what is inside."""
    modules = read_modules(PACKAGE)

    assert modules
    assert violations(modules) == []


def test_imports_that_go_down_are_allowed(tmp_path: Path) -> None:
    """A tree that keeps every rule has no violations."""
    root = write_tree(
        tmp_path,
        {
            "__init__.py": "from otel_flight.recorder import FlightRecorder\n",
            "ground/clock.py": "import time\n",
            "settings/kinds.py": "from otel_flight.ground import clock\n",
            "records/records.py": "from otel_flight.ground.clock import now\n",
            "recording/codec.py": "import otel_flight.records.records\n",
            "triggers/base.py": "from otel_flight.records import records\n",
            "triggers/gate/gate.py": "from otel_flight.triggers.base import Trigger\n",
            "triggers/manual.py": "from otel_flight.triggers import base\n"
            "from otel_flight.triggers.gate import gate\n",
            "recorder.py": "from otel_flight.triggers.gate.gate import Gate\n",
            "assembly.py": "from otel_flight.triggers.manual import Manual\n",
            "cli/__init__.py": "from otel_flight.cli.commands import show\n",
            "cli/__main__.py": "from otel_flight.cli import main\n",
            "cli/commands/show.py": "def show():\n    import rich\n",
            "cli/commands/demo/command.py": "from otel_flight.cli.commands.demo import load\n",
            "cli/commands/demo/load.py": "",
        },
    )

    assert violations(read_modules(root)) == []


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        pytest.param(
            {
                "ground/clock.py": "from otel_flight.records import records\n",
                "records/records.py": "",
            },
            "ground.clock line 1 imports records.records: it is in a higher layer",
            id="upwards",
        ),
        pytest.param(
            {"ring/ring.py": "import otel_flight.recording.codec\n", "recording/codec.py": ""},
            "ring.ring line 1 imports recording.codec: it is in a higher layer",
            id="ring-to-recording",
        ),
        pytest.param(
            {"sources/gc_pauses.py": "import otel_flight.triggers.base\n", "triggers/base.py": ""},
            "sources.gc_pauses line 1 imports triggers.base: it is in a higher layer",
            id="sources-to-triggers",
        ),
        pytest.param(
            {"report/html.py": "import otel_flight.delivery.sender\n", "delivery/sender.py": ""},
            "report.html line 1 imports delivery.sender: it is in the layer beside",
            id="report-to-delivery",
        ),
        pytest.param(
            {"triggers/slow_root.py": "import otel_flight.triggers.signal\n"},
            "triggers.slow_root line 1 imports triggers.signal: "
            "what stands alone in triggers does not know its neighbours",
            id="sideways-between-triggers",
        ),
        pytest.param(
            {"triggers/gate/gate.py": "import otel_flight.triggers.manual\n"},
            "triggers.gate.gate line 1 imports triggers.manual: "
            "what is shared in triggers does not know who shares it",
            id="from-what-is-shared-to-a-trigger",
        ),
        pytest.param(
            {"incidents/findings/a/slow.py": "import otel_flight.incidents.findings.a.errors\n"},
            "incidents.findings.a.slow line 1 imports incidents.findings.a.errors: "
            "what stands alone in incidents.findings does not know its neighbours",
            id="sideways-between-findings",
        ),
        pytest.param(
            {"cli/commands/show.py": "from otel_flight.cli.commands.export import run\n"},
            "cli.commands.show line 1 imports cli.commands.export: "
            "what stands alone in cli.commands does not know its neighbours",
            id="sideways-between-commands",
        ),
        pytest.param(
            {"ground/clock.py": "from otel_flight import __version__\n"},
            "ground.clock line 1 imports otel_flight: a package's own modules do not import it",
            id="the-root",
        ),
        pytest.param(
            {"recording/codec.py": "from otel_flight.recording import Record\n"},
            "recording.codec line 1 imports recording: a package's own modules do not import it",
            id="its-own-package",
        ),
        pytest.param(
            {"recorder.py": "from otel_flight.triggers import manual\n", "triggers/manual.py": ""},
            "recorder line 1 imports triggers.manual: only the assembly names it",
            id="a-concrete-trigger",
        ),
        pytest.param(
            {"triggers/__init__.py": "import otel_flight.triggers.manual\n"},
            "triggers line 1 imports triggers.manual: only the assembly names it",
            id="a-concrete-trigger-from-its-package",
        ),
        pytest.param(
            {"cli/demo.py": "from otel_flight.recorder import FlightRecorder\n", "recorder.py": ""},
            "cli.demo line 1 imports recorder: reading what a dead process left needs nothing live",
            id="a-reader-and-the-recorder",
        ),
        pytest.param(
            {"cli/demo.py": "from otel_flight.running import run\n", "running/run.py": ""},
            "cli.demo line 1 imports running.run: reading what a dead process left needs nothing "
            "live",
            id="a-reader-and-a-run",
        ),
        pytest.param(
            {
                "settings/kinds.py": "def load():\n    from otel_flight.ground import clock\n",
                "ground/clock.py": "",
            },
            "settings.kinds line 2 imports ground.clock inside a function",
            id="inside-a-function",
        ),
        pytest.param(
            {"settings/kinds.py": "from typing import TYPE_CHECKING\n"},
            "settings.kinds: line 1 uses TYPE_CHECKING",
            id="type-checking-by-name",
        ),
        pytest.param(
            {"settings/kinds.py": "import typing\nif typing.TYPE_CHECKING:\n    pass\n"},
            "settings.kinds: line 2 uses TYPE_CHECKING",
            id="type-checking-by-attribute",
        ),
        pytest.param(
            {"settings/kinds.py": "from . import clock\n"},
            "settings.kinds: line 1 imports relatively",
            id="relative",
        ),
        pytest.param(
            {"settings/kinds.py": "import importlib\n__import__('otel_flight.recorder')\n"},
            "settings.kinds: line 2 imports dynamically",
            id="dynamic",
        ),
        pytest.param(
            {
                "recording/codec.py": "import otel_flight.recording.records\n",
                "recording/records.py": "import otel_flight.recording.sanitize\n",
                "recording/sanitize.py": "import otel_flight.recording.records\n",
            },
            "these import each other in a circle: recording.records, recording.sanitize",
            id="circle",
        ),
        pytest.param(
            {"plugins.py": ""},
            "plugins is in no layer: add it to LAYERS",
            id="no-layer",
        ),
        pytest.param(
            {"recording/ring_utils.py": ""},
            "recording.ring_utils: the name ring_utils does not say what is inside",
            id="name-that-says-nothing",
        ),
        pytest.param(
            {"recording/records.py": "\n" * (MOST_LINES + 1)},
            f"recording.records has {MOST_LINES + 1} lines, more than {MOST_LINES}",
            id="too-long",
        ),
    ],
)
def test_a_violation_is_found(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    """A tree with one thing wrong gets exactly the sentence that names it."""
    root = write_tree(tmp_path, files)

    assert violations(read_modules(root)) == [complaint]
