"""What is done with a host while it runs: requests, and what it answered."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess

DEADLINE_SECONDS: Final = 30.0
_TITLE_CHARACTERS: Final = 100


@dataclass
class Visit:
    """One run of a host, as its traffic sees it.

    Attributes:
        process: the running host.
        folder: its own folder.
        port: where it serves.
        spool: where its incidents are.
        is_recorded: whether the recorder is in it, so that there are any.
        is_below: its process is the child of the one that was started.
        environment: what its clients need.
        answers: what it answered, in the order in which it was asked.
        healthy_seconds: how long the usual answers took.
        awaited_incidents: how many incidents there are by now, when all is well.
    """

    process: ServiceProcess
    folder: Path
    port: int
    spool: Spool
    is_recorded: bool
    is_below: bool
    environment: Mapping[str, str]
    answers: list[str] = field(default_factory=list)
    healthy_seconds: list[float] = field(default_factory=list)
    awaited_incidents: int = 0

    def note(self, what: str, answer: object) -> None:
        """Note an answer; it must be the same in both runs."""
        self.answers.append(f"{what}: {answer}")

    def timed(self, what: str, ask: Callable[[], object]) -> None:
        """Ask, and note the answer and how long it took."""
        began = time.monotonic()
        answer = ask()
        self.healthy_seconds.append(time.monotonic() - began)
        self.note(what, answer)

    def get(self, path: str) -> None:
        """Ask for a path, as healthy traffic does."""
        self.timed(f"GET {path}", lambda: self.answer_to("GET", path))

    def post(self, path: str, body: str) -> None:
        """Send a body to a path, as healthy traffic does."""
        self.timed(f"POST {path}", lambda: self.answer_to("POST", path, body))

    def get_at_once(self, paths: Sequence[str]) -> None:
        """Ask for some paths, each by a connection of its own, all at the same time."""
        with ThreadPoolExecutor(len(paths)) as sender:
            answers = list(sender.map(lambda path: self.answer_to("GET", path), paths))
        for path, answer in zip(paths, answers, strict=True):
            self.note(f"GET {path}", answer)

    def get_incident(self, path: str) -> None:
        """Ask for a path that causes an incident, and wait for that."""
        self.note(f"GET {path}", self.answer_to("GET", path))
        self.wait_for_incident()

    def wait_for_incident(self) -> None:
        """Wait until there is one incident more, where there is a recorder."""
        self.awaited_incidents += 1
        if self.is_recorded:
            self.process.wait_for(
                lambda: len(self.spool.entries()) >= self.awaited_incidents,
                f"incident {self.awaited_incidents} is not there",
                DEADLINE_SECONDS,
            )

    def answer_to(self, method: str, path: str, body: str | None = None) -> str:
        """Return status, type and content of an answer; an error is one, too."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request(method, path, None if body is None else body.encode())
            response = connection.getresponse()
            content = response.read().decode(errors="replace")
            kind = response.getheader("Content-Type") or ""
            if "html" in kind:  # for people, and partly different each time
                content = content[:_TITLE_CHARACTERS]
            return f"{response.status} {kind} {content}"
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def host_process(self) -> psutil.Process:
        """Return its process."""
        started = psutil.Process(self.process.pid)
        return started.children()[0] if self.is_below else started

    def run_client(self, program: Path, *arguments: str) -> None:
        """Note the answers that a client of the host prints, as JSON: what, answer and seconds."""
        done = subprocess.run(
            [sys.executable, str(program), *arguments],
            check=False,
            capture_output=True,
            env={**os.environ, **self.environment},
            text=True,
            timeout=2 * DEADLINE_SECONDS,
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.process.output()}"
        for line in done.stdout.splitlines():
            row: dict[str, Any] = json.loads(line)
            self.note(row["what"], row["answer"])
            self.healthy_seconds.append(row["seconds"])


def serve(visit: Visit) -> None:
    """Look at the process, and make the requests of `serve_requests`."""
    visit.get("/process")
    serve_requests(visit)


def serve_requests(visit: Visit) -> None:
    """Make the usual requests, a slow one and one that fails, of any of the web applications."""
    for number in range(20):
        visit.get(f"/items/{number}")
    visit.post("/echo", "Grüße" * 1000)
    visit.get("/nowhere")
    for _ in range(3):
        visit.get_at_once([f"/items/{number}" for number in range(8)])
    visit.get_incident("/slow")
    visit.get_incident("/fail")
    visit.get("/items/1")
