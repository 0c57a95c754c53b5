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
from tests.page.axe import violations
from tests.page.opened_page import OpenedPage
from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool


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


@pytest.fixture
def full_server(server: SpoolServer, tmp_path: Path, own_environment: Path) -> SpoolServer:
    """Serve a spool with two incidents."""
    fill_spool(tmp_path / "spool", own_environment)
    return server


def test_two_incidents_are_compared_by_keyboard(browser: Any, full_server: SpoolServer) -> None:
    """Two are chosen in the list; their page says what differs, alone if asked, and leads back."""
    page = OpenedPage(browser.new_page(viewport={"width": 360, "height": 800}), full_server.url)
    button = page.driver.get_by_role("button", name="Compare two")
    assert button.is_disabled()

    for choice in page.driver.get_by_role("checkbox").all():
        choice.focus()
        page.driver.keyboard.press("Space")
    button.focus()
    page.driver.keyboard.press("Enter")
    page.driver.wait_for_selector("#sections section")

    assert page.texts("#incidents a") == ["slow local root GET /report", "error span charge card"]
    assert page.text(".differs:has-text('cause') .verdict") == "differs"
    assert page.driver.locator("tr.same").first.is_visible()
    page.driver.get_by_label("Only what differs").check()
    assert not page.driver.locator("tr.same").first.is_visible()
    assert page.driver.evaluate("document.documentElement.scrollWidth") == 360

    page.driver.get_by_role("link", name="All incidents").click()
    page.driver.wait_for_selector("#compare")
    page.driver.close()
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_comparison_are_accessible(
    browser: Any, full_server: SpoolServer, axe: str, scheme: str
) -> None:
    """Names, roles, order and contrast are right."""
    page = OpenedPage(browser.new_page(color_scheme=scheme), full_server.url)
    page.wait_until("document.querySelectorAll('#incidents tr').length === 2")
    assert violations(page, axe) == []

    page.load(f"{full_server.url}{SLOW_ID}..{FAILED_ID}.html")
    assert violations(page, axe) == []
    page.driver.close()
