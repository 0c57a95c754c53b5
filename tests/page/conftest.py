"""Gives the tests a browser, where there is one; `make test-page` brings all but Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page.axe import AXE
from tests.page.chromium import NoBrowserError, running_chromium
from tests.page.opened_page import OpenedPage, PageOpener


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Run Chromium."""
    try:
        with running_chromium() as running:
            yield running
    except NoBrowserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the program of axe."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: make test-page")
    return AXE.read_text(encoding="utf-8")


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
