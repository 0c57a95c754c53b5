"""`otel-flight show`: one incident, for whoever is on call."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Final

import click

from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.incident_document import incident_document
from otel_flight.cli.incident_reports import incident_of, links_to, report_of
from otel_flight.cli.left_behind import is_left_behind
from otel_flight.ground.own_files import whole_file
from otel_flight.report.html.page import html_page
from otel_flight.report.markdown.markdown import USUAL_TOKENS, markdown
from otel_flight.report.model.timeline import UNLIMITED
from otel_flight.report.terminal.page import Page
from otel_flight.report.terminal.terminal import print_report

_NOT_RECOVERED: Final = "it is in a dead process's ring only: `otel-flight recover` keeps it"


@click.command()
@click.argument("incident", metavar="ID")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="The most spans of the trace to show.",
)
@click.option(
    "--requests",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="The most other requests to show.",
)
@click.option(
    "--events",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="The most kinds of other events to show.",
)
@click.option(
    "--process", type=int, metavar="PID", help="Show the window of this process of the service."
)
@click.option(
    "--all", "is_all", is_flag=True, help="Show every span, request, kind of event and function."
)
@click.option("--jaeger-url", metavar="URL", help="Print links to the Jaeger there.")
@click.option(
    "--grafana-url",
    metavar="URL",
    help="Print links to the Grafana there; ?datasource= names its Tempo data source.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="markdown: for a ticket, a chat, or an assistant; json: all there is, for scripts.",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=200),
    default=USUAL_TOKENS,
    show_default=True,
    help="How long Markdown may be; the most important is kept.",
)
@click.option(
    "--html",
    "page",
    metavar="[FILE]",
    is_flag=False,
    flag_value="",
    help="Write a page for the browser that needs nothing else; - is the standard output.",
)
@click.option("--open", "is_opened", is_flag=True, help="Write the page, and open it.")
@json_option
@directory_options
@pass_invocation
def show(
    invocation: Invocation,
    *,
    incident: str,
    rows: int,
    requests: int,
    events: int,
    process: int | None,
    is_all: bool,
    jaeger_url: str | None,
    grafana_url: str | None,
    form: str,
    tokens: int,
    page: str | None,
    is_opened: bool,
    as_json: bool,
) -> None:
    """Show an incident: cause, findings, timeline, events, losses.

    ID is an incident's id or the beginning of it, `last`, or the path of a .flight file, or of a
    dead process's ring.
    """
    as_json |= form == "json"
    given = {"jaeger_url": jaeger_url, "grafana_url": grafana_url}
    invocation.overrides.update({name: url for name, url in given.items() if url})
    entry = invocation.find_incident(incident)
    if is_left_behind(entry):
        invocation.warn([_NOT_RECOVERED])
    found = incident_of(invocation, entry, process)
    is_whole = is_all or as_json
    report = report_of(
        invocation,
        entry,
        found,
        rows=UNLIMITED if is_whole else rows,
        requests=UNLIMITED if is_whole else requests,
        events=UNLIMITED if is_whole else events,
        is_unfolded=is_all,
    )
    links = links_to(invocation, report)
    if page is not None or is_opened:
        _write_page(html_page(report, found, links), page or f"{entry.path.stem}.html", is_opened)
    elif as_json:
        print_json(incident_document(entry, report, links))
    elif form == "markdown":
        click.echo(markdown(report, links, tokens), nl=False)
    else:
        print_report(report, Page(invocation.console), links)


def _write_page(page: bytes, file: str, is_opened: bool) -> None:
    """Write a page where only its owner can read it, as the incident is, and say where that is."""
    if file == "-" and not is_opened:
        click.echo(page, nl=False)
        return
    path = Path(file).absolute()
    with whole_file(path) as stream:
        stream.write(page)
    click.echo(path)
    if is_opened and not webbrowser.open(path.as_uri()):
        raise click.ClickException(f"no browser can be started here: open {path}")
