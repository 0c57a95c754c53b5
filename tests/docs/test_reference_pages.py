"""The reference names what there is: no command, option, attribute or metric is left out."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import otel_flight
from otel_flight import testing
from otel_flight.assembly import Settings
from otel_flight.cli import command_line
from otel_flight.names import (
    attributes,
    exception_attributes,
    log_attributes,
    process_attributes,
    sent_attributes,
)
from otel_flight.running import self_metrics
from otel_flight.settings.declaration import settings_in

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
COMMON_OPTIONS = {"--spool-directory", "--ring-directory", "--help", "-h"}


def text_of(page: str) -> str:
    """Return a page of the reference."""
    return (REFERENCE / page).read_text(encoding="utf-8")


def section_of(page: str, heading: str) -> str:
    """Return what stands under a heading of the second level, which may go on after its name."""
    found = re.search(rf"^## {heading}\b.*?(?=^## |\Z)", text_of(page), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{page} has no section {heading}"
    return found[0]


@pytest.mark.parametrize("name", sorted(command_line().commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    """Each command has a section, which names its options and no others."""
    command = command_line().commands[name]
    options = {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }

    section = section_of("command-line.md", name)

    named = {name for row in re.findall(r"^\| (`-.*)", section, re.M) for name in _options(row)}
    assert named == options - COMMON_OPTIONS


def test_every_attribute_is_documented() -> None:
    """Each name that can stand on something sent is on the page."""
    page = text_of("attributes.md")
    names = {
        value
        for module in (
            sent_attributes,
            attributes,
            exception_attributes,
            log_attributes,
            process_attributes,
        )
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and "." in value
    }

    missing = {name for name in names if name.rstrip(".") not in page}

    assert missing - {sent_attributes.HOST_ID} == set()


def test_public_names_are_sorted() -> None:
    """In `__all__`, in the order of ruff and of `sorted`, each once."""
    for module in (otel_flight, testing):
        assert sorted(set(module.__all__)) == module.__all__


def test_every_public_name_is_documented() -> None:
    """The page of the API has an entry for each name, and for no other."""
    entries = re.findall(
        r"^\.\. (?:autoclass|autoexception|autofunction|py:data):: otel_flight\.([\w.]+)",
        text_of("python-api.md"),
        re.M,
    )

    in_testing = [f"testing.{name}" for name in testing.__all__]
    assert sorted(entries) == sorted([*otel_flight.__all__, *in_testing])


def test_every_metric_is_documented() -> None:
    """Each instrument is on the page, with its unit."""
    page = text_of("metrics.md")

    for name, unit, *_ in (*self_metrics._COUNTERS, *self_metrics._GAUGES):
        row = re.search(rf"^\| `{re.escape(name)}` \|.*$", page, re.M)
        assert row is not None, name
        assert f"`{unit}`" in row[0]


def test_defaults_that_are_told_again_are_right() -> None:
    """Where a page names a setting with its default after it, that is its default."""
    defaults = {each.variable: each.write(each.default) for each in settings_in(Settings)}
    pages = [path for path in DOCS.glob("**/*.md") if "_build" not in path.parts]
    said = [
        (path.name, variable, default.replace(" ", ""))
        for path in pages
        for variable, default in re.findall(
            r"`(OTEL_FLIGHT_\w+)`(?:,| \()\s*(\d[\d ]*(?:[KM]iB\b|s\b)?)",
            path.read_text("utf-8"),
        )
    ]

    wrong = [each for each in said if defaults[each[1]] != each[2]]

    assert wrong == []
    assert len(said) > 5


def _options(row: str) -> list[str]:
    return re.findall(r"`(-[\w-]+)", row.split(" | ", maxsplit=1)[0])
