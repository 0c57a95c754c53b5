"""`otel-flight compare`: two incidents beside each other."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.incident_reports import whole_report_of
from otel_flight.report.markdown.markdown import USUAL_TOKENS, fenced
from otel_flight.report.model.compared_values import SAME, Row
from otel_flight.report.model.comparison import Comparison, compare
from otel_flight.report.terminal.page import Page, with_names

_JSON_VERSION: Final = 1
"""The version of what `--json` prints: the next one when something is taken out or changed."""
_WIDTH: Final = 120
"""Markdown has lines of at most so many characters."""


@click.command("compare")
@click.argument("one", metavar="ID")
@click.argument("other", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="markdown: for a ticket, a chat, or an assistant; json: for scripts.",
)
@json_option
@directory_options
@pass_invocation
def compare_incidents(
    invocation: Invocation, *, one: str, other: str, form: str, as_json: bool
) -> None:
    """Show what is the same in two incidents, and what differs.

    Each ID is an incident's id or the beginning of it, `last`, or the path of a .flight file.
    """
    entries = [invocation.find_incident(each) for each in (one, other)]
    comparison = compare(*(whole_report_of(invocation, entry) for entry in entries))
    if as_json or form == "json":
        print_json({"version": _JSON_VERSION, **asdict(comparison)})
    elif form == "markdown":
        output = io.StringIO()
        page = Page(Console(file=output, width=_WIDTH, color_system=None))
        page.is_ascii = True
        _print(comparison, page)
        click.echo(f"# Two incidents\n\n{fenced(output.getvalue().splitlines(), USUAL_TOKENS)}")
    else:
        _print(comparison, Page(invocation.console))


def _print(comparison: Comparison, page: Page) -> None:
    for number, each in enumerate(comparison.incidents, 1):
        name = Text.assemble((each.title, "bold"), f"  {each.service}")
        page.paragraph(name, Text(f"[{number}] ", style="bold yellow"))
        page.paragraph(Text(f"{each.id}  {each.opened}", style="dim"), "    ")
    for section in comparison.sections:
        page.section(section.title)
        for row in section.rows:
            _print_row(row, page)
        if section.left_out:
            page.line(Text(f"… {section.left_out} more", style="dim"))


def _print_row(row: Row, page: Page) -> None:
    one, other = row.values
    if one == other:
        page.paragraph(with_names(one), Text.assemble("  ", with_names(row.what), "  "))
        return
    is_same = row.verdict == SAME
    what = Text.assemble(with_names(row.what), (f"  {row.verdict}", "" if is_same else "yellow"))
    what.append(f" {page.plain(row.change)}" if row.change else "")
    page.paragraph(what, "  " if is_same else "* ")
    for number, value in enumerate(row.values, 1):
        if value:
            page.paragraph(with_names(value), Text(f"    [{number}] ", style="dim"))
