"""The command: speaks the Model Context Protocol over stdin and stdout."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from otel_flight.cli.base import Invocation, directory_options, pass_invocation
from otel_flight.errors import MissingExtra

_SERVER: Final = "otel_flight.cli.commands.mcp.server"


@click.command()
@directory_options
@pass_invocation
def mcp(invocation: Invocation) -> None:
    """Answer an assistant's questions about incidents, over stdin and stdout.

    It only reads. Each answer is bounded, and what was recorded stands in fences that it cannot
    close, because it may come from anybody who sends requests.
    """
    # Not imported at the top: it takes a second, and an extra that few have.
    try:
        serve = import_module(_SERVER).serve
    except ModuleNotFoundError as error:
        raise MissingExtra("mcp", "`otel-flight mcp`") from error
    serve(invocation.overrides)
