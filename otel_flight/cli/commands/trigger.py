"""`otel-flight trigger`: ask a running service for an incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from otel_flight.cli.base import (
    ExitCode,
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.rings import find_rings
from otel_flight.errors import ServiceNotFound
from otel_flight.ring.request import GONE, NO_ANSWER, Reply, ask_for_incidents
from otel_flight.settings.quantities import parse_duration

_WORDS: Final = {
    "opened": "opened incident",
    "joined": "joined incident",
    "cooldown": "refused: this cause made an incident a short while ago (OTEL_FLIGHT_COOLDOWN)",
    "backoff": "refused: the last incident could not be kept (a full disk, say)",
    "budget": "refused: enough incidents in the last hour (OTEL_FLIGHT_INCIDENTS_PER_HOUR)",
    "busy": "refused: the service is too busy to decide",
    NO_ANSWER: "no answer: it hangs, or OTEL_FLIGHT_EXTERNAL_TRIGGER is off there",
    GONE: "ended before it answered",
}


def _duration(context: click.Context, parameter: click.Parameter, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def _attributes(
    context: click.Context, parameter: click.Parameter, pairs: Sequence[str]
) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", context, parameter)
        found[key] = value
    return found


@click.command()
@click.option("--service", required=True, help="The service.name of the processes to ask.")
@click.option("--reason", required=True, help="What happened, in a few words.")
@click.option(
    "--attribute",
    "attributes",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_attributes,
    help="More about it; can be given several times.",
)
@click.option(
    "--timeout",
    default="5s",
    show_default=True,
    callback=_duration,
    help="How long to wait for the answers.",
)
@json_option
@directory_options
@pass_invocation
def trigger(
    invocation: Invocation,
    *,
    service: str,
    reason: str,
    attributes: dict[str, str],
    timeout: float,
    as_json: bool,
) -> int:
    """Ask a running service for an incident, now.

    For health checks, deploy scripts and other automation. All processes of the service on this
    host that record as the same user are asked. Incidents that the gate refuses end with exit
    code 4, unless another process opened one.
    """
    directories = invocation.ring_directories
    live = [ring for ring in find_rings(directories) if ring.is_alive]
    rings = [ring.path for ring in live if ring.service == service]
    if not rings:
        names = sorted({ring.service for ring in live if ring.service})
        raise ServiceNotFound(service, names, directories[0])
    try:
        replies = ask_for_incidents(rings, reason, attributes, timeout)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json([_as_json(reply) for reply in replies])
    else:
        for reply in replies:
            words = _WORDS.get(reply.outcome, reply.outcome)
            click.echo(f"pid {reply.pid}: {words} {reply.incident_id or ''}".rstrip())
    return _exit_code(replies)


def _exit_code(replies: Sequence[Reply]) -> ExitCode:
    if any(reply.incident_id for reply in replies):
        return ExitCode.OK
    if all(reply.outcome in (NO_ANSWER, GONE) for reply in replies):
        return ExitCode.FAILED
    return ExitCode.REFUSED


def _as_json(reply: Reply) -> dict[str, Any]:
    return {
        "pid": reply.pid,
        "ring": str(reply.ring),
        "outcome": reply.outcome,
        "incident_id": reply.incident_id,
    }
