"""The program axe, which judges a page for those who do not see it; `make test-page` brings it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.page.opened_page import OpenedPage

AXE: Final = Path(__file__).parents[2] / "build/axe/node_modules/axe-core/axe.min.js"


def violations(page: OpenedPage, axe: str) -> list[tuple[str, list[str]]]:
    """Return what axe finds, each with the elements."""
    page.driver.evaluate(axe)
    found: list[dict[str, Any]] = page.driver.evaluate("axe.run().then((all) => all.violations)")
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
