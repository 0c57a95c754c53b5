"""A page of an incident, open in a browser."""

from __future__ import annotations

from time import monotonic
from typing import Any, Protocol


class PageOpener(Protocol):
    """Opens a page in a browser."""

    def __call__(self, page: bytes, fragment: str = "", **options: object) -> OpenedPage:
        """Return a page when it is ready.

        Args:
            page: its bytes.
            fragment: what follows its address, such as `#span=…`.
            options: of the browser: its size, its colours.
        """


class OpenedPage:
    """A page of an incident, open in a browser.

    Args:
        browser_page: the driver's.
        url: of the page.

    Attributes:
        driver: the driver's page.
        requests: the addresses of what it fetched.
        complaints: what the browser reported: errors, refusals of the policy.
        loads: how often it was loaded.
    """

    def __init__(self, browser_page: Any, url: str) -> None:
        self.driver = browser_page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.loads = 0
        browser_page.on("request", lambda request: self.requests.append(request.url))
        browser_page.on("console", lambda message: self.complaints.append(message.text))
        browser_page.on("pageerror", lambda error: self.complaints.append(str(error)))
        browser_page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.load(url)

    def load(self, url: str) -> None:
        """Load an address, and wait until all of it is there."""
        self.loads += 1
        self.driver.goto(url)
        self.driver.wait_for_selector("html[data-ready]")
        assert self.driver.evaluate("document.documentElement.dataset.ready") == "true"

    def texts(self, selector: str) -> list[str]:
        """Return the texts of elements that are in the page."""
        found: list[str] = self.driver.locator(selector).all_inner_texts()
        return [" ".join(each.split()) for each in found]

    def text(self, selector: str) -> str:
        """Return the text of one element."""
        (found,) = self.texts(selector)
        return found

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true; the page's policy keeps the driver from doing that."""
        deadline = monotonic() + 30
        while not self.driver.evaluate(expression):
            assert monotonic() < deadline, expression
            self.driver.wait_for_timeout(20)

    @property
    def fragment(self) -> str:
        """What follows its address now."""
        found: str = self.driver.evaluate("location.hash")
        return found

    @property
    def time_in_sight(self) -> list[float]:
        """The stretch of time that is looked at, in nanoseconds from the opening."""
        found: list[float] = self.driver.evaluate("[page.view.from, page.view.to]")
        return found
