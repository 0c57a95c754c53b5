"""Makes the pictures of the documentation from what `otel-flight demo` keeps: `make pictures`.

Needs Chromium. The pictures are of what the commands print and write; nothing is drawn by hand.
That of Jaeger needs `make backends`, and its web page, which no Go module has: as it is built from
the sources of jaeger-ui, in the folder that OTEL_FLIGHT_JAEGER_UI names. Without them the picture
that is there stays.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from otel_flight.incidents.spool.spool import Spool
from tests.backends.sources import backend
from tests.page.chromium import running_chromium
from tests.page.perfetto_page import NoPerfettoError, perfetto_page
from tests.support.backends.jaeger_process import JaegerProcess

PICTURES: Final = Path(__file__).parent / "pictures"
_COLUMNS: Final = 100
_LINES: Final = 34
_VIEW: Final = {"width": 1280, "height": 1180}
_LOW_VIEW: Final = {"width": 1280, "height": 780}


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
        with running_chromium() as browser:
            _page(browser, page)
            _perfetto(browser, spool, slow)
            _jaeger(browser, spool, slow)


def _page(browser: Any, page: Path) -> None:
    opened = browser.new_page(viewport=_VIEW, device_scale_factor=1)
    opened.goto(page.as_uri())
    opened.wait_for_load_state("load")
    opened.screenshot(path=str(PICTURES / "page.png"))


def _perfetto(browser: Any, spool: str, incident: str) -> None:
    file = Path(spool).with_name("incident.pftrace")
    _otel_flight("export", incident, "--perfetto", str(file), spool=spool)
    try:
        with perfetto_page(browser, file.read_bytes(), viewport=_LOW_VIEW) as opened:
            opened.driver.get_by_role("button", name="menu").first.click()
            opened.driver.get_by_text("Requests", exact=True).first.click()
            opened.driver.evaluate("waitForPerfettoIdle()")
            opened.driver.screenshot(path=str(PICTURES / "perfetto.png"))
    except NoPerfettoError as error:
        sys.stderr.write(f"perfetto.png stays as it is: {error}\n")


def _jaeger(browser: Any, spool: str, incident: str) -> None:
    """Make a picture of the request that fired, as the link into Jaeger opens it."""
    assets = os.environ.get("OTEL_FLIGHT_JAEGER_UI")
    if not assets or not backend("jaeger").is_built():
        sys.stderr.write("jaeger.png stays as it is: Jaeger or its web page is not built\n")
        return
    with _JaegerWithPage(Path(spool).with_name("jaeger"), assets) as jaeger:
        _otel_flight("export", incident, "--endpoint", jaeger.grpc_endpoint, spool=spool)
        shown = _otel_flight(
            "show", incident, "--json", "--jaeger-url", jaeger.query_url, spool=spool
        )
        opened = browser.new_page(viewport=_LOW_VIEW)
        opened.goto(json.loads(shown)["links"]["jaeger"]["trigger"])
        opened.wait_for_selector(".detail-row")
        opened.mouse.move(0, 0)
        opened.screenshot(path=str(PICTURES / "jaeger.png"))


class _JaegerWithPage(JaegerProcess):
    """Jaeger with its web page.

    Args:
        folder: for its configuration and its output.
        assets: the folder with the page.
    """

    def __init__(self, folder: Path, assets: str) -> None:
        super().__init__(folder)
        self._assets = assets

    def configuration(self) -> str:
        """Return Jaeger's configuration, with the page's folder in it."""
        page = f"  jaeger_query:\n    ui:\n      assets_path: {self._assets}\n"
        return super().configuration().replace("  jaeger_query:\n", page, 1)


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


if __name__ == "__main__":
    main()
