"""`otel-flight config`: what is in force and where it came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_flight.assembly import Settings
from otel_flight.settings.declaration import settings_in
from tests.support.incidents.command_line import run


def test_every_setting_is_listed_with_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Default, environment and option are told apart."""
    monkeypatch.setenv("OTEL_FLIGHT_SLOW_ROOT", "250ms")

    output = run("config", "--spool-directory", str(tmp_path / "other")).output

    for setting in settings_in(Settings):
        assert re.search(rf"^{setting.name} .* {setting.variable}$", output, re.MULTILINE)
    assert re.search(r"^slow_root_seconds +250ms +environment ", output, re.MULTILINE)
    assert re.search(r"^spool_directory +/\S*/other +option ", output, re.MULTILINE)
    assert re.search(r"^window_bytes +16MiB +default ", output, re.MULTILINE)


def test_a_bad_value_is_named_and_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the recorder would warn about, `config` warns about."""
    monkeypatch.setenv("OTEL_FLIGHT_SLOW_ROOT", "soon")
    monkeypatch.setenv("OTEL_FLIGHT_SLOWROOT", "1s")

    outcome = run("config")

    assert outcome.exit_code == 0
    assert "otel-flight: warning: OTEL_FLIGHT_SLOW_ROOT cannot be 'soon'" in outcome.output
    assert "there is no setting 'OTEL_FLIGHT_SLOWROOT': did you mean" in outcome.output
    assert re.search(r"^slow_root_seconds +learned +default ", outcome.output, re.MULTILINE)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, "OTLP-JSON copy", id="nowhere"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
            r"http://collector:4318 by OTLP \(http/protobuf\)",
            id="configured",
        ),
        pytest.param({"OTEL_FLIGHT_EXPORT": "off"}, "nowhere else", id="off"),
    ],
)
def test_the_destination_is_worked_out(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    """Where incidents would go, the exporters' own variables included."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert re.search(f"and go to +.*{words}", run("config").output)


def test_json_has_values_and_texts(tmp_path: Path) -> None:
    """A script gets both the value and how to write it."""
    found = run("config", "--json").json()

    by_name = {each["setting"]: each for each in found["settings"]}
    assert by_name["window_seconds"] == {
        "setting": "window_seconds",
        "variable": "OTEL_FLIGHT_WINDOW",
        "value": 60.0,
        "text": "1m",
        "default": "1m",
        "from": "default",
    }
    assert found["spool_directory"] == str(tmp_path / "spool")
    assert found["ring_directories"][0] == str(tmp_path / "ring")
    assert found["destination"]["kind"] == "json"


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("http://user:s3cret@c:4317/x?key=s3cret", "http://c:4317/x"),
        ("user:s3cret@c:4317", "'c:4317'"),
    ],
)
def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch, endpoint: str, shown: str) -> None:
    """Neither of an endpoint in force nor of one that cannot be used."""
    for name in (
        "OTEL_FLIGHT_ENDPOINT",
        "OTEL_FLIGHT_LOGS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ):
        monkeypatch.setenv(name, endpoint)

    for output in (run("config").output, run("config", "--json").output):
        assert shown in output
        assert "s3cret" not in output
