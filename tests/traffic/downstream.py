"""Another service, which those under test ask: it answers as told, or badly every other time."""

from __future__ import annotations

import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, final

from typing_extensions import Self

_UNAVAILABLE: Final = 503


@final
class Downstream:
    """Serve `/status/CODE`, and `/flaky`, until the `with` block ends.

    Attributes:
        url: its address.
    """

    def __init__(self) -> None:
        asked = itertools.count(1)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_bad = self.path == "/flaky" and next(asked) % 2
                code = _UNAVAILABLE if is_bad else 200
                self.send_response(
                    int(self.path.rpartition("/")[2] or 0) if "status" in self.path else code
                )
                self.send_header("content-length", "0")
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
