"""A little load on a service, and whether anything harmed the requests meanwhile."""

from __future__ import annotations

import http.client
import threading
import time
from types import TracebackType
from typing import NamedTuple, final
from urllib.parse import urlsplit

_PAUSE_SECONDS = 0.03
_TIMEOUT_SECONDS = 60.0


class Reply(NamedTuple):
    """How one request was answered.

    Attributes:
        status: of the answer; 0 when there was none.
        seconds: how long it took.
        error: what happened instead of an answer.
    """

    status: int
    seconds: float
    error: str = ""


@final
class LightLoad:
    """Sends requests from a few threads, each the next one a moment after the last was answered.

    Args:
        url: what to request.
        threads: how many requests may be in flight.
    """

    def __init__(self, url: str, *, threads: int = 2) -> None:
        self._address = urlsplit(url)
        self._stopping = threading.Event()
        self._replied = threading.Condition()  # guards _replies; notified at each reply
        self._replies: list[Reply] = []
        self._threads = [
            threading.Thread(target=self._run, name="load", daemon=True) for _ in range(threads)
        ]

    def start(self) -> LightLoad:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End when the requests in flight are answered. Idempotent."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> LightLoad:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_for_more(self, count: int, timeout_seconds: float = 60.0) -> None:
        """Block until so many more requests were answered.

        Raises:
            TimeoutError: They are not in time.
        """
        with self._replied:
            enough = len(self._replies) + count
            if not self._replied.wait_for(lambda: len(self._replies) >= enough, timeout_seconds):
                message = f"only {len(self._replies)} of {enough} requests were answered"
                raise TimeoutError(message)

    def complaints(self, longest_seconds: float, status: int = 200) -> list[Reply]:
        """Return the replies so far that were late, were not the usual one, or never came."""
        with self._replied:
            assert self._replies, "no request was answered"
            return [
                reply
                for reply in self._replies
                if reply.status != status or reply.seconds > longest_seconds
            ]

    @property
    def longest_seconds(self) -> float:
        """How long the slowest request took."""
        with self._replied:
            return max(reply.seconds for reply in self._replies)

    @property
    def count(self) -> int:
        """How many requests were answered."""
        with self._replied:
            return len(self._replies)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_TIMEOUT_SECONDS
        )
        while not self._stopping.wait(_PAUSE_SECONDS):
            reply = self._request(connection)
            with self._replied:
                self._replies.append(reply)
                self._replied.notify_all()
        connection.close()

    def _request(self, connection: http.client.HTTPConnection) -> Reply:
        started = time.monotonic()
        try:
            connection.request("GET", self._address.path)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Reply(0, time.monotonic() - started, repr(error))
        return Reply(response.status, time.monotonic() - started)
