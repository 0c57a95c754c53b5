"""The page for those who do not see it, as axe judges it; `make test-page` brings axe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page.axe import violations
from tests.page.incidents import hostile_page, lock_page
from tests.page.opened_page import PageOpener


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_incident_is_accessible(
    open_page: PageOpener, own_environment: Path, axe: str, scheme: str
) -> None:
    """Names, roles, order and contrast are right, also with a finding shown and hostile names."""
    page = open_page(lock_page(own_environment), color_scheme=scheme)
    page.driver.locator(".finding").first.click()
    assert violations(page, axe) == []

    assert violations(open_page(hostile_page(own_environment), color_scheme=scheme), axe) == []
