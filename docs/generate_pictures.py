"""Makes the pictures of the documentation from what `otel-flight demo` keeps: `make pictures`.

Needs Chromium. The pictures are of what the commands print and write; nothing is drawn by hand.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from otel_flight.incidents.spool.spool import Spool
from tests.page.chromium import running_chromium

PICTURES: Final = Path(__file__).parent / "pictures"
_COLUMNS: Final = 100
_LINES: Final = 34
_VIEW: Final = {"width": 1280, "height": 1180}


def main() -> None:
    """Run the demo, and make a picture of its slow request in each way of looking at it."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="otel-flight-") as folder:
        spool = str(Path(folder) / "spool")
        _otel_flight("demo", "--seconds", "4", "--keep", folder, spool=spool)
        entries = Spool(Path(spool), 1 << 30, 100).entries()
        slow, _ = sorted(each.incident_id for each in entries)  # the one that failed came later
        _terminal(_otel_flight("show", slow, spool=spool))
        page = Path(folder) / "incident.html"
        _otel_flight("show", slow, "--html", str(page), spool=spool)
        _browser(page)


def _otel_flight(*arguments: str, spool: str) -> str:
    environment = {
        **os.environ,
        "OTEL_FLIGHT_SPOOL_DIRECTORY": spool,
        "COLUMNS": str(_COLUMNS),
        "FORCE_COLOR": "1",
    }
    command = [sys.executable, "-m", "otel_flight.cli", *arguments]
    done = subprocess.run(  # noqa: S603  (ours)
        command, env=environment, text=True, check=True, stdout=subprocess.PIPE
    )
    return done.stdout


def _terminal(output: str) -> None:
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi("\n".join(output.splitlines()[:_LINES])))
    picture = console.export_svg(title="otel-flight show last")
    lines = [line.rstrip() for line in picture.splitlines()]
    (PICTURES / "terminal.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _browser(page: Path) -> None:
    with running_chromium() as browser:
        opened = browser.new_page(viewport=_VIEW, device_scale_factor=1)
        opened.goto(page.as_uri())
        opened.wait_for_load_state("load")
        opened.screenshot(path=str(PICTURES / "page.png"))


if __name__ == "__main__":
    main()
