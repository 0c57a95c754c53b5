"""Commands and servers: told in time, and never longer than that."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.ground.deadline import Deadline
from otel_flight.notification.channels import send
from otel_flight.notification.not_sent import NotSent
from tests.support.receivers.notified_server import NotifiedServer

BODY = json.dumps({"text": "größe"}).encode()


def command(path: Path, *lines: str) -> str:
    """Return the target of a Python program."""
    path.write_text("\n".join(("import os, sys, time", *lines)))
    return f"exec:'{sys.executable}' -S '{path}' 'an argument'"


class TestCommand:
    """`exec:`."""

    def test_it_gets_the_message(self, tmp_path: Path) -> None:
        """On its standard input, with what is asked for in its environment."""
        out = tmp_path / "out"
        target = command(
            tmp_path / "tell.py",
            f"out = open({str(out)!r}, 'w')",
            "print(sys.stdin.read(), os.environ['ID'], sys.argv[1], file=out)",
        )

        send(target, BODY, {"ID": "7"}, Deadline.after(20))

        assert out.read_text() == f"{BODY.decode()} 7 an argument\n"

    def test_a_failure_is_told(self, tmp_path: Path) -> None:
        """By what it ended with; it is worth another attempt."""
        with pytest.raises(NotSent, match="it ended with 3") as raised:
            send(command(tmp_path / "tell.py", "sys.exit(3)"), BODY, {}, Deadline.after(20))
        assert not raised.value.is_final
        with pytest.raises(NotSent, match="signal 9 ended it"):
            send(
                command(tmp_path / "tell.py", "os.kill(os.getpid(), 9)"),
                BODY,
                {},
                Deadline.after(20),
            )
        with pytest.raises(NotSent, match="cannot be run: No such file"):
            send("exec:/nowhere/tell", BODY, {}, Deadline.after(20))

    def test_one_that_hangs_is_killed(self, tmp_path: Path) -> None:
        """With what it has started."""
        pids = tmp_path / "pids"
        target = command(
            tmp_path / "tell.py",
            "child = os.fork()",
            f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')",
            "time.sleep(60)",
        )
        began = time.monotonic()

        with pytest.raises(NotSent, match="took too long"):
            send(target, BODY, {}, Deadline.after(2))

        assert time.monotonic() - began < 15
        for pid in map(int, pids.read_text().split()):
            _wait_until_gone(pid)

    def test_it_blocks_no_signals_and_inherits_no_descriptors(self, tmp_path: Path) -> None:
        """Though our thread blocks all signals, and the application has sockets for its workers."""
        out = tmp_path / "out"
        target = command(
            tmp_path / "tell.py",
            "import signal",
            f"out = open({str(out)!r}, 'w')",
            "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), file=out)",
            "print(sorted(os.listdir('/proc/self/fd'), key=int), out.fileno(), file=out)",
        )
        with socket.socket() as listening:
            listening.set_inheritable(True)
            before = signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.valid_signals()))
            try:
                send(target, BODY, {}, Deadline.after(20))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

        mask, descriptors = out.read_text().splitlines()
        assert mask == "set()"
        assert descriptors == "['0', '1', '2', '3', '4'] 3"

    def test_a_child_that_somebody_else_waited_for_is_no_failure(self, tmp_path: Path) -> None:
        """Servers wait for any child of theirs."""

        def reap(*_: object) -> None:
            os.waitpid(-1, os.WNOHANG)

        before = signal.signal(signal.SIGCHLD, reap)
        try:
            with contextlib.suppress(NotSent):  # we came first
                send(command(tmp_path / "tell.py", "sys.exit(3)"), BODY, {}, Deadline.after(20))
        finally:
            signal.signal(signal.SIGCHLD, before)

    def test_nothing_is_left_open(self, tmp_path: Path) -> None:
        """Whether it works or not."""
        before = len(list(Path("/proc/self/fd").iterdir()))

        send(command(tmp_path / "tell.py"), BODY, {}, Deadline.after(20))
        with pytest.raises(NotSent):
            send("exec:/nowhere/tell", BODY, {}, Deadline.after(20))

        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestServer:
    """`http:` and `https:`."""

    @pytest.fixture
    def server(self) -> Iterator[NotifiedServer]:
        """A server."""
        with NotifiedServer().running() as running:
            yield running

    def test_it_is_posted(self, server: NotifiedServer) -> None:
        """As it is."""
        send(f"{server.url}/hook?x=1", BODY, {}, Deadline.after(20))

        assert server.next() == ("/hook?x=1", {"text": "größe"})

    @pytest.mark.parametrize(
        ("status", "is_final"),
        [(302, True), (400, True), (404, True), (408, False), (429, False), (500, False)],
    )
    def test_what_it_answers_decides(
        self, server: NotifiedServer, status: int, is_final: bool
    ) -> None:
        """A redirection to a login page is no success, and is not followed."""
        server.answers = [status]

        with pytest.raises(NotSent, match=f"answers {status}") as raised:
            send(server.url, BODY, {}, Deadline.after(20))

        assert raised.value.is_final is is_final
        server.next()
        assert server.received.empty()

    def test_one_that_hangs_is_given_up(self, server: NotifiedServer) -> None:
        """At the deadline."""
        server.delay.clear()
        began = time.monotonic()

        with pytest.raises(NotSent, match="cannot be reached"):
            send(server.url, BODY, {}, Deadline.after(0.5))

        assert time.monotonic() - began < 10

    def test_no_message_shows_the_path(self) -> None:
        """It is the password of a chat server's URL."""
        with pytest.raises(NotSent) as raised:
            send("http://127.0.0.1:1/services/SECRET", BODY, {}, Deadline.after(5))

        assert "SECRET" not in str(raised.value)


def _wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except OSError:
            return
        if state == "Z":  # killed; whoever is its parent now has not waited for it yet
            return
        time.sleep(0.01)
    raise AssertionError(pid)
