"""The command `otel-flight`: reads what recorders wrote, dead or alive, and never records itself.

Its packages are an extra of otel-flight, so that services need not install them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from otel_flight.errors import MissingExtra

try:
    import click

    from otel_flight.cli.base import CommandLine, directory_options
    from otel_flight.cli.commands.agent import agent
    from otel_flight.cli.commands.compare import compare_incidents
    from otel_flight.cli.commands.config import config
    from otel_flight.cli.commands.demo.command import demo
    from otel_flight.cli.commands.export.command import export
    from otel_flight.cli.commands.inspect_ring import inspect_ring
    from otel_flight.cli.commands.limits import limits
    from otel_flight.cli.commands.list_incidents import list_incidents
    from otel_flight.cli.commands.mcp.command import mcp
    from otel_flight.cli.commands.recover import recover
    from otel_flight.cli.commands.serve.command import serve
    from otel_flight.cli.commands.show import show
    from otel_flight.cli.commands.trigger import trigger
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"click", "rich"}:
        raise
    _is_complete = False
else:
    _is_complete = True

__all__ = ["command_line", "main"]

_HELP = """Look at what the flight recorder kept of your services.

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused by the service,
5 not delivered (it is still in the spool).
"""


def command_line() -> CommandLine:
    """Return the command line with all its commands."""

    @click.pass_context
    def help_without_command(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    group = CommandLine(
        "otel-flight",
        commands=[
            demo,
            list_incidents,
            show,
            compare_incidents,
            serve,
            export,
            trigger,
            recover,
            agent,
            inspect_ring,
            limits,
            config,
            mcp,
        ],
        callback=help_without_command,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help=_HELP,
    )
    return directory_options(click.version_option(package_name="otel-flight")(group))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and exit; an error is one line on stderr and an exit code.

    Args:
        arguments: None: those of this process.
    """
    if not _is_complete:
        sys.stderr.write(f"otel-flight: {MissingExtra('cli', 'the command line')}\n")
        return 2
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names from requests need not fit the encoding
            stream.reconfigure(errors="replace")
    # What exporters log of a failure becomes the one line of the command that failed.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    command_line().main(arguments, prog_name="otel-flight")
    return 0
