"""`otel-flight serve`: the spool as a page of this machine, for as long as the command runs."""

from __future__ import annotations

import secrets
import webbrowser

import click

from otel_flight.cli.base import Invocation, directory_options, pass_invocation
from otel_flight.cli.commands.serve.server import SpoolServer
from otel_flight.cli.commands.serve.spool_pages import SpoolPages


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="The port of 127.0.0.1 to listen on; 0 takes a free one.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page.")
@directory_options
@pass_invocation
def serve(invocation: Invocation, *, port: int, is_opened: bool) -> None:
    """Show the spool as a page of this machine, until Ctrl-C.

    The list follows what is added, and each incident has its page. It listens on 127.0.0.1 only,
    answers only who knows the address with its random part, and changes nothing.
    """
    invocation.warn(invocation.spool_places.problems)
    pages = SpoolPages(invocation)
    with SpoolServer(port, secrets.token_urlsafe(24), pages.find) as server:
        click.echo(server.url)
        if is_opened and not webbrowser.open(server.url):
            click.echo("otel-flight: warning: no browser can be started here", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
