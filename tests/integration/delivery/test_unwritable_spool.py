"""A service that may not write to its disk, or whose disk is full: the incident is delivered."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_flight import install, uninstall
from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.own_files import own_name
from tests.support.incidents.command_line import Outcome, run
from tests.support.receivers.otlp_receiver import OtlpReceiver

SECONDS = 20.0


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take the home directory away, as a read-only root does; return the temporary directory."""
    monkeypatch.delenv("OTEL_FLIGHT_SPOOL_DIRECTORY")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    (tmp_path / "home").write_text("nothing can be made in here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver with nothing special about it."""
    with OtlpReceiver() as running:
        yield running


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was warned of."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def listed_with(text: str) -> Outcome:
    """Return what `otel-flight list` prints, as soon as that says something."""
    until = monotonic_ns() + SECONDS * 1e9
    while text not in (outcome := run("list")).output and monotonic_ns() < until:
        pass
    return outcome


@pytest.mark.parametrize("is_in_memory", [False, True], ids=["temporary", "memory"])
def test_an_incident_is_delivered_though_its_home_cannot_be_written(
    temporary: Path,
    receiver: OtlpReceiver,
    caplog: pytest.LogCaptureFixture,
    is_in_memory: bool,
) -> None:
    """From the temporary directory, or from memory; with one warning, and the commands say so."""
    if is_in_memory:
        (temporary / own_name()).write_text("nor in here")
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = install(
        tracer_provider=provider,
        tail_seconds=0,
        endpoint=receiver.http_endpoint,
        protocol="http/protobuf",
    )
    try:
        tracer = provider.get_tracer("t")
        with pytest.raises(ValueError, match="x"), tracer.start_as_current_span("handler"):
            raise ValueError("x")
        receiver.wait_for_spans(2, SECONDS)
        listed, configured = listed_with(f"(process {os.getpid()})"), run("config", "--json")
    finally:
        uninstall()

    statistics = recorder.statistics()
    assert (statistics.incidents_unspooled, statistics.incidents_failed) == (is_in_memory, 0)
    assert statistics.delivery.delivered_incidents == 1
    assert statistics.errors == ()
    assert "handler" in [each.span.name for each in receiver.spans()]
    (warning,) = warnings_in(caplog)
    assert str(temporary.parent / "home") in warning
    assert "OTEL_FLIGHT_SPOOL_DIRECTORY" in warning
    assert "warning: incidents cannot be kept in" in listed.output
    trouble = "cannot write incidents to" if is_in_memory else "keeps incidents in"
    assert f"(process {os.getpid()}) {trouble}" in listed.output
    found = json.loads(configured.output[configured.output.index("{") :])
    assert found["incidents_in_memory_only"] is is_in_memory
    expected = temporary.parent / "home" if is_in_memory else temporary
    assert found["spool_directory"].startswith(str(expected))


def test_what_nobody_takes_is_told_at_the_end(
    temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither written nor sent: that is not to be found out by looking for it."""
    (temporary / own_name()).write_text("nor in here")
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = install(tracer_provider=provider, tail_seconds=0)
    with pytest.raises(ValueError, match="x"), provider.get_tracer("t").start_as_current_span("h"):
        raise ValueError("x")
    uninstall()

    assert recorder.statistics().incidents_unspooled == 1
    assert "could neither write nor send 1 incidents" in warnings_in(caplog)[-1]


def test_a_disk_that_recovers_gets_what_was_in_memory(
    temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end of the process at the latest."""
    blocker = temporary / own_name()
    blocker.write_text("nor in here")
    provider = TracerProvider(shutdown_on_exit=False)
    install(tracer_provider=provider, tail_seconds=0, export="off")
    with pytest.raises(ValueError, match="x"), provider.get_tracer("t").start_as_current_span("h"):
        raise ValueError("x")
    assert "cannot write incidents" in listed_with(f"(process {os.getpid()})").output
    blocker.unlink()
    uninstall()

    assert len(list((blocker / "spool").glob("*.flight"))) == 1
    assert "neither write nor send" not in caplog.text


def test_a_full_disk_costs_neither_incidents_nor_the_cpu(
    tmp_path: Path, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit is sent from memory."""
    full = tmp_path / "full"
    full.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    monkeypatch.setenv("OTEL_FLIGHT_SPOOL_DIRECTORY", str(full / "spool"))
    try:
        (full / "ballast").write_bytes(os.urandom(56 * 1024))
        provider = TracerProvider(shutdown_on_exit=False)
        recorder = install(
            tracer_provider=provider,
            tail_seconds=0,
            cooldown_seconds=0,
            incidents_per_hour=12,
            endpoint=receiver.grpc_endpoint,
            protocol="grpc",
        )
        tracer = provider.get_tracer("t")
        for _ in range(200):
            tracer.start_span("work", attributes={"noise": os.urandom(200).hex()}).end()
        for number in range(6):
            recorder.trigger(f"cause {number}")
            receiver.wait_for(partial(has_incidents, receiver, number + 1), SECONDS)
        uninstall()
    finally:
        subprocess.run(["umount", "--lazy", str(full)], check=True)

    statistics = recorder.statistics()
    assert statistics.incidents_written + statistics.incidents_unspooled == 6
    assert statistics.incidents_unspooled >= 5
    assert statistics.delivery.delivered_incidents == 6


def has_incidents(receiver: OtlpReceiver, count: int) -> bool:
    """Return whether a receiver has the root spans of so many incidents."""
    return sum(each.span.name.startswith("incident: ") for each in receiver.spans()) >= count
