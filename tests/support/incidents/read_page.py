"""Takes a page apart as a browser would: its policy, its programs, its data."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class ReadPage(HTMLParser):
    """What a page consists of.

    Attributes:
        tags: its elements in their order, with their attributes.
        texts: what stands in its scripts, styles and title, by the id or the tag.
    """

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._within = attributes.get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        """Note that what follows stands elsewhere."""
        self._within = ""

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts[self._within] = self.texts.get(self._within, "") + data

    @property
    def policy(self) -> str:
        """The policy of what it may run and fetch."""
        (found,) = [
            attributes["content"]
            for tag, attributes in self.tags
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert found is not None
        return found

    @property
    def head(self) -> Any:
        """What it says before anything of the window is read."""
        return json.loads(self.texts["head-data"])

    @property
    def window(self) -> Any:
        """The columns of the window."""
        return json.loads(zlib.decompress(base64.b64decode(self.texts["window-data"]), -15))


def read_page(page: bytes) -> ReadPage:
    """Return what a page consists of."""
    found = ReadPage()
    found.feed(page.decode())
    found.close()
    return found
