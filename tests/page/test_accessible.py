"""The page for those who do not see it, as axe judges it; `make test-page` brings axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.page.incidents import hostile_page, lock_page
from tests.page.opened_page import OpenedPage, PageOpener

AXE = Path(__file__).parents[2] / "build/axe/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def axe() -> str:
    """Return the program of axe."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: make test-page")
    return AXE.read_text(encoding="utf-8")


def violations(page: OpenedPage, axe: str) -> list[tuple[str, list[str]]]:
    """Return what axe finds, each with the elements."""
    page.driver.evaluate(axe)
    found: list[dict[str, Any]] = page.driver.evaluate("axe.run().then((all) => all.violations)")
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_incident_is_accessible(
    open_page: PageOpener, own_environment: Path, axe: str, scheme: str
) -> None:
    """Names, roles, order and contrast are right, also with a finding shown and hostile names."""
    page = open_page(lock_page(own_environment), color_scheme=scheme)
    page.driver.locator(".finding").first.click()
    assert violations(page, axe) == []

    assert violations(open_page(hostile_page(own_environment), color_scheme=scheme), axe) == []
