"""`otel-flight serve`: who is answered, what is shown, and that nothing is changed."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from otel_flight.cli.base import Invocation
from otel_flight.cli.commands.serve.server import HTML, Answer, SpoolServer
from otel_flight.cli.commands.serve.spool_pages import SpoolPages
from otel_flight.errors import IncidentNotFound, NotAnIncident
from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool, run
from tests.support.incidents.read_page import read_page


@contextmanager
def running(find: Any) -> Iterator[SpoolServer]:
    """Run a server with the token `secret`."""
    with SpoolServer(0, "secret", find) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: SpoolServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], str]:
    """Return the status, the headers and the body of an answer."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return found


@pytest.fixture
def pages(tmp_path: Path, own_environment: Path) -> SpoolPages:
    """The pages of a spool with two incidents."""
    fill_spool(tmp_path / "spool", own_environment)
    return SpoolPages(Invocation({"spool_directory": str(tmp_path / "spool")}))


def test_only_who_knows_the_token_is_answered() -> None:
    """Another user of the machine, who can connect, learns nothing."""
    asked = []

    def find(path: str) -> Answer:
        asked.append(path)
        return Answer(HTML, b"the list")

    with running(find) as server:
        statuses = [ask(server, path)[0] for path in ("/", "/secret", "/other/", "/%73ecre/x")]
        assert ask(server, "/secret/")[::2] == (200, "the list")

    assert statuses == [403] * 4
    assert asked == [""]
    assert server.url == f"http://127.0.0.1:{server.server_port}/secret/"


def test_a_name_that_points_here_is_not_answered() -> None:
    """A page of another site cannot read ours by a name that it lets resolve to 127.0.0.1."""
    with running(lambda path: Answer(HTML, b"x")) as server:
        assert ask(server, "/secret/", host="evil.example")[0] == 403
        assert ask(server, "/secret/", host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(method: str) -> None:
    """Only GET and HEAD are there."""
    with running(lambda path: Answer(HTML, b"x")) as server:
        assert ask(server, "/secret/", method=method)[0] == 501
        assert ask(server, "/secret/", method="HEAD")[::2] == (200, "")


def test_nothing_is_kept_or_framed() -> None:
    """No cache keeps a page, no other site shows it, and its address is told to nobody."""
    with running(lambda path: Answer(HTML, b"x")) as server:
        headers = ask(server, "/secret/")[1]

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_fails_is_a_sentence() -> None:
    """What cannot be read, or is not there, is said, and the server goes on."""

    def find(path: str) -> Answer | None:
        if path == "broken":
            raise NotAnIncident("x.flight", "it was cut off")
        return None

    with running(find) as server:
        broken, missing = ask(server, "/secret/broken"), ask(server, "/secret/missing")

    assert broken[0] == missing[0] == 404
    assert broken[2].startswith("otel-flight: x.flight is not a readable incident")
    assert missing[2] == "otel-flight: there is no such page\n"


def test_the_list_has_the_incidents(pages: SpoolPages) -> None:
    """Newest first, each with its page, in the document and in what it asks for later."""
    document, rows = pages.find(""), pages.find("incidents.json")

    assert document is not None
    assert rows is not None
    assert read_page(document.body).policy.split("; ")[3] == "connect-src 'self'"
    listed = json.loads(rows.body)
    assert json.loads(read_page(document.body).texts["rows"]) == listed
    assert [each["id"] for each in listed] == [FAILED_ID, SLOW_ID]
    assert [each["page"] for each in listed] == [f"{FAILED_ID}.html", f"{SLOW_ID}.html"]
    assert listed[1]["what"] == "slow local root GET /report"
    assert listed[1]["finding"].startswith("`inventory` took 1.49s")
    assert listed[1]["delivery"] == "waiting"


def test_the_list_follows_the_spool(pages: SpoolPages, tmp_path: Path) -> None:
    """What is added shows with the next request, also what cannot be read."""
    (first, *_) = sorted((tmp_path / "spool").glob("*.flight"))
    shutil.copy(first, first.with_name(f"20270101-000000-aaaaaa-{first.name.split('-', 3)[3]}"))
    (tmp_path / "spool" / "20270102-000000-bbbbbb-shop.flight").write_bytes(b"no archive")

    rows = pages.find("incidents.json")

    assert rows is not None
    broken, copied, *_ = json.loads(rows.body)
    assert broken["what"].startswith("unreadable: ")
    assert broken["page"] == ""
    assert copied["id"] == "20270101-000000-aaaaaa"


def test_each_incident_has_its_page(pages: SpoolPages) -> None:
    """It is the page that `show --html` writes, with how far the delivery is."""
    answer = pages.find(f"{SLOW_ID}.html")

    assert answer is not None
    page = read_page(answer.body)
    assert page.head["title"] == "slow local root GET /report"
    assert ["delivery", "not delivered"] in page.head["facts"]


def test_two_incidents_have_a_page_together(pages: SpoolPages) -> None:
    """It is small, fetches nothing, and leads to the pages of both."""
    answer = pages.find(f"{SLOW_ID}..{FAILED_ID}.html")

    assert answer is not None
    assert len(answer.body) < 60_000
    page = read_page(answer.body)
    assert "connect-src" not in page.policy
    assert json.loads(page.texts["pages"]) == [f"{SLOW_ID}.html", f"{FAILED_ID}.html"]
    found = json.loads(page.texts["comparison"])
    assert [each["id"] for each in found["incidents"]] == [SLOW_ID, FAILED_ID]
    assert found["sections"][0]["rows"][0]["values"] == ["slow local root", "error span"]
    for path in (f"{SLOW_ID}...html", f"..{SLOW_ID}.html", f"{SLOW_ID}..{FAILED_ID}..x.html"):
        with pytest.raises(IncidentNotFound):
            pages.find(path)


def test_the_command_prints_the_address_and_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is another one each time, and Ctrl-C is the usual end."""

    def interrupted(server: SpoolServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SpoolServer, "serve_forever", interrupted)

    outcomes = [run("serve", "--spool-directory", str(tmp_path)) for _ in range(2)]

    assert [each.exit_code for each in outcomes] == [0, 0]
    addresses = {each.output.strip().partition("127.0.0.1:")[2] for each in outcomes}
    assert len({each.partition("/")[2] for each in addresses}) == 2
    assert all(len(each.partition("/")[2]) > 30 for each in addresses)


def test_a_page_is_found_by_its_name_only(pages: SpoolPages) -> None:
    """No path leads out of the spool, and no file of it is sent as it is."""
    for path in ("../secret.html", f"{SLOW_ID}/../x.html", "last.html", ".html"):
        with pytest.raises(IncidentNotFound):
            pages.find(path)
    assert pages.find(f"{SLOW_ID}-shop.flight") is None
