"""An HTML document that brings its styles and its program, and lets a browser run no others."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

import msgspec

_PLACE: Final = re.compile(r"(\{\{\w+\}\})")


def document(
    template: str, scripts: Sequence[str], parts: Mapping[str, str], *, connects: str = ""
) -> bytes:
    """Return a document.

    Args:
        template: the name of the asset that it is made of.
        scripts: the names of the assets that are its program, in their order.
        parts: what stands in the places of the template; is markup.
        connects: where its program may fetch from, as a source of the policy; empty: nowhere.
    """
    styles, program = asset("page.css"), "".join(map(asset, scripts))
    filled = {
        **{f"{{{{{name}}}}}": part for name, part in parts.items()},
        "{{policy}}": escape(_policy(styles, program, connects)),
        "{{styles}}": styles,
        "{{program}}": program,
    }
    pieces = _PLACE.split(asset(template))
    return "".join(filled.get(piece, piece) for piece in pieces).encode()


def as_data(value: Any) -> str:
    """Return JSON that ends no element it stands in."""
    return msgspec.json.encode(value, enc_hook=str).decode().replace("<", "\\u003c")


@cache
def asset(name: str) -> str:
    """Return the text of a file of the page."""
    folder = resources.files("otel_flight.report.html") / "assets"
    return (folder / name).read_text(encoding="utf-8")


def _policy(styles: str, program: str, connects: str) -> str:
    fetched = f"connect-src {connects}; " if connects else ""
    return (
        f"default-src 'none'; style-src '{_hash(styles)}'; script-src '{_hash(program)}'; "
        f"{fetched}base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
