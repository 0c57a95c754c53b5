"""Gives the tests a browser, where there is one; `make test-page` brings all but Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page.opened_page import OpenedPage, PageOpener

_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def _chromium() -> str | None:
    named = os.environ.get("OTEL_FLIGHT_CHROMIUM")
    usual = ("chromium", "chromium-browser", "google-chrome")
    return named or next(filter(None, map(shutil.which, usual)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Run Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs make test-page")
    program = _chromium()
    if program is None:
        pytest.skip("there is no Chromium: install one, or name it in OTEL_FLIGHT_CHROMIUM")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[PageOpener]:
    """Return what opens pages; fail if one of them fetched something, or complained."""
    opened: list[OpenedPage] = []

    def open_it(page: bytes, fragment: str = "", **options: object) -> OpenedPage:
        file = tmp_path / "incident.html"
        file.write_bytes(page)
        found = OpenedPage(browser.new_page(**options), f"{file.as_uri()}{fragment}")
        opened.append(found)
        return found

    yield open_it
    for page in opened:
        page.driver.close()
        assert page.complaints == []
        assert page.requests == [each for each in page.requests if each.startswith("file:")]
        assert len(page.requests) == page.loads
