"""`otel-flight trigger` against real services: opened, refused, not answered, not there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otel_flight.incidents.flight_file import read_manifest
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.command_line import run
from tests.support.processes.service_process import ServiceProcess

SERVICE = """
import signal, sys
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
import otel_flight
provider = TracerProvider(resource=Resource.create({"service.name": sys.argv[1]}))
recorder = otel_flight.install(
    tracer_provider=provider, tick_seconds=0.01, tail_seconds=float(sys.argv[3]), export="off",
    external_trigger=sys.argv[2] == "on", window_bytes="512KiB", runtime_bytes="128KiB",
)
recorder.start()  # else recording begins beside what follows
provider.get_tracer("t").start_span("GET /").end()
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print("ready", flush=True)
signal.pause()
"""


@contextmanager
def service(name: str = "shop", external: str = "on", tail: float = 0) -> Iterator[ServiceProcess]:
    """Run a service that records, until the block ends."""
    with ServiceProcess(["-c", SERVICE, name, external, str(tail)]) as process:
        process.wait_for_output("ready")
        yield process


def test_a_running_service_makes_an_incident(tmp_path: Path) -> None:
    """The id is printed, and the incident has reason and attributes."""
    with service() as process:
        outcome = run(
            "trigger", "--service", "shop", "--reason", "health check failed",
            "--attribute", "check=/live", "--attribute", "by=cron=1",
        )  # fmt: skip
        process.send_signal(signal.SIGTERM)
        process.wait()

    assert outcome.exit_code == 0, outcome.output
    words = outcome.output.split()
    assert words[:4] == ["pid", f"{process.pid}:", "opened", "incident"]
    (entry,) = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    assert entry.incident_id == words[4]
    (cause,) = read_manifest(entry.path).causes
    assert (cause.trigger, cause.reason) == ("external", "health check failed")
    assert cause.attributes == {"check": "/live", "by": "cron=1"}


def test_a_refusal_has_its_own_exit_code() -> None:
    """The same reason twice is within the cooldown, which is said."""
    with service():
        arguments = ["trigger", "--service", "shop", "--reason", "deploy", "--json"]
        first = run(*arguments)
        outcomes = {reply["outcome"] for reply in first.json()}
        while (second := run(*arguments)).json()[0]["outcome"] == "joined":
            pass  # the first incident closes within a tick

    assert (first.exit_code, outcomes) == (0, {"opened"})
    assert second.exit_code == 4
    assert second.json()[0]["outcome"] == "cooldown"
    assert second.json()[0]["incident_id"] is None


def test_all_processes_of_the_service_are_asked() -> None:
    """Two workers answer with the incident that they have together, another service does not."""
    with service(tail=5) as first, service(tail=5) as second, service("other"):
        replies = run("trigger", "--service", "shop", "--reason", "deploy", "--json").json()

    assert {reply["pid"] for reply in replies} == {first.pid, second.pid}
    assert {reply["outcome"] for reply in replies} == {"opened", "joined"}
    assert len({reply["incident_id"] for reply in replies}) == 1


def test_a_service_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    """With external triggers off there is no answer, and that is said."""
    with service(external="off"):
        outcome = run("trigger", "--service", "shop", "--reason", "deploy", "--timeout", "100ms")

    assert outcome.exit_code == 1
    assert "no answer: it hangs, or OTEL_FLIGHT_EXTERNAL_TRIGGER is off" in outcome.output


def test_an_unknown_service_names_those_that_run() -> None:
    """A typing mistake is easily seen."""
    with service("shop"):
        outcome = run("trigger", "--service", "shpo", "--reason", "deploy")

    assert outcome.exit_code == 3
    assert "no running service 'shpo'" in outcome.output
    assert "found shop" in outcome.output


def test_wrong_options_are_usage_errors() -> None:
    """Attributes without a value and times without a unit are refused before anyone is asked."""
    arguments = ["trigger", "--service", "shop", "--reason", "deploy"]

    assert run(*arguments, "--attribute", "check").exit_code == 2
    assert run(*arguments, "--timeout", "5").exit_code == 2


def test_a_request_that_does_not_fit_is_a_usage_error() -> None:
    """Reason and attributes have a thousand bytes together."""
    with service():
        outcome = run("trigger", "--service", "shop", "--reason", "x" * 2000)

    assert outcome.exit_code == 2
    assert "only 1022 fit: shorten them" in outcome.output
