"""`otel-flight agent`: recover and deliver what the services of a host leave, until SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import sys

import click

from otel_flight.agent.agent import Agent
from otel_flight.agent.health import Address, HealthServer
from otel_flight.agent.privileges import Identity, become, find_user
from otel_flight.agent.stop_signals import StopSignals
from otel_flight.cli.base import Invocation, directory_options, pass_invocation
from otel_flight.delivery.receiver.exporters import destination
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.settings.sources import warn_once

_logger = logging.getLogger("otel_flight")


def _address(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> Address | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT", context, parameter)
    return host.strip("[]"), int(port)


def _user(context: click.Context, parameter: click.Parameter, text: str | None) -> Identity | None:
    try:
        return None if text is None else find_user(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


@click.command()
@click.option(
    "--user",
    metavar="NAME|UID[:GID]",
    callback=_user,
    help="Give up root and run as this user: that of the services.",
)
@click.option(
    "--listen",
    "address",
    metavar="HOST:PORT",
    callback=_address,
    help="Answer /health and /metrics there, such as 127.0.0.1:9464.",
)
@directory_options
@pass_invocation
def agent(invocation: Invocation, user: Identity | None, address: Address | None) -> None:
    """Recover and deliver what services leave, until SIGTERM.

    For a sidecar, a DaemonSet or a unit of systemd, on the directories of services of the same
    user. These may have OTEL_FLIGHT_EXPORT=off then, and need neither network nor exporter.
    Settings are those of a service, from the environment.
    """
    _log_to_stderr()
    if user is not None:
        become(user)
    settings = invocation.settings
    warn_once(invocation.in_force.problems)
    target = destination(SPANS, settings)
    if target.kind == "json" and settings.export == "auto":
        raise click.UsageError(
            "no endpoint is configured: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_FLIGHT_EXPORT "
            "to json or off"
        )
    directories = invocation.ring_directories
    found = Agent(settings, directories)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopSignals())
        if address is not None:
            server = stack.enter_context(HealthServer(found, address))
            _logger.info("otel-flight agent answers on %s port %d", *server.address)
        _logger.info(
            "otel-flight agent looks for rings in %s and for incidents in %s, to be sent to %s",
            " and ".join(map(str, directories)),
            found.spool.directory,
            target.endpoint or "nobody",
        )
        found.run(stop.wait)
    _logger.info("otel-flight agent has stopped")


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
