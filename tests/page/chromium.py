"""Chromium, driven by Playwright, where both are there."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_ARGUMENTS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class NoBrowserError(Exception):
    """There is no browser here, or nothing that drives it."""


@contextmanager
def running_chromium() -> Iterator[Any]:
    """Run Chromium, and return Playwright's browser.

    Raises:
        NoBrowserError: why there is none.
    """
    named = os.environ.get("OTEL_FLIGHT_CHROMIUM")
    usual = ("chromium", "chromium-browser", "google-chrome")
    program = named or next(filter(None, map(shutil.which, usual)), None)
    if program is None:
        raise NoBrowserError("there is no Chromium: install one, or name it: OTEL_FLIGHT_CHROMIUM")
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ModuleNotFoundError:
        raise NoBrowserError("there is no Playwright: make test-page") from None
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield browser
        browser.close()
