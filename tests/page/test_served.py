"""The list of a spool in a real browser, and the way from it to an incident."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.cli.base import Invocation
from otel_flight.cli.commands.serve.server import SpoolServer
from otel_flight.cli.commands.serve.spool_pages import SpoolPages
from tests.page.opened_page import OpenedPage
from tests.support.command_line import fill_spool


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SpoolServer]:
    """Serve a spool that is empty so far."""
    pages = SpoolPages(Invocation({"spool_directory": str(tmp_path / "spool")}))
    (tmp_path / "spool").mkdir()
    with SpoolServer(0, "secret", pages.find) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_list_follows_the_spool_and_leads_to_incidents(
    browser: Any, server: SpoolServer, tmp_path: Path, own_environment: Path
) -> None:
    """What is added shows by itself; each opens; everything it asks for is of this server."""
    page = OpenedPage(browser.new_page(), server.url)
    assert "No incident yet" in page.text("#none")

    fill_spool(tmp_path / "spool", own_environment)
    page.wait_until("document.querySelectorAll('#incidents tr').length === 2")
    assert page.texts("#incidents a") == ["error span charge card", "slow local root GET /report"]

    page.driver.get_by_label("Filter incidents").fill("report")
    page.driver.locator("#incidents a").click()
    page.driver.wait_for_selector("html[data-ready=true]")
    assert page.text("h1") == "slow local root GET /report"
    page.driver.close()
    assert page.complaints == []
    assert all(each.startswith(server.url) for each in page.requests)
