"""The settings, where they come from, and what is said about those that make no sense."""

from __future__ import annotations

import dataclasses
import logging
import runpy
import signal
from pathlib import Path

import pytest

from otel_flight import environment_variables
from otel_flight.assembly import Settings
from otel_flight.errors import InvalidSetting, UnknownSetting
from otel_flight.settings.declaration import Setting, settings_in
from otel_flight.settings.sources import find_settings, warn_once

DOCS = Path(__file__).parents[3] / "docs"
KIB, MIB, GIB = 1024, 1024**2, 1024**3

DEFAULTS = {
    "enabled": (True, "ENABLED"),
    "window_seconds": (60.0, "WINDOW"),
    "window_bytes": (16 * MIB, "WINDOW_BYTES"),
    "runtime_bytes": (2 * MIB, "RUNTIME_BYTES"),
    "record_bytes": (48 * KIB, "RECORD_BYTES"),
    "open_spans": (10_000, "OPEN_SPANS"),
    "redact": (True, "REDACT"),
    "redact_names": ((), "REDACT_NAMES"),
    "redact_allow": ((), "REDACT_ALLOW"),
    "tick_seconds": (0.1, "TICK"),
    "ring_directory": (None, "RING_DIRECTORY"),
    "spool_directory": (None, "SPOOL_DIRECTORY"),
    "spool_bytes": (256 * MIB, "SPOOL_BYTES"),
    "spool_incidents": (100, "SPOOL_INCIDENTS"),
    "retention_seconds": (14 * 24 * 3600.0, "RETENTION"),
    "tail_seconds": (2.0, "TAIL"),
    "cooldown_seconds": (60.0, "COOLDOWN"),
    "incidents_per_hour": (12, "INCIDENTS_PER_HOUR"),
    "host_incidents": (True, "HOST_INCIDENTS"),
    "error_span": ("all", "ERROR_SPAN"),
    "error_span_names": (("*",), "ERROR_SPAN_NAMES"),
    "error_ignore_exceptions": ((), "ERROR_IGNORE_EXCEPTIONS"),
    "log_exception_trigger": (True, "LOG_EXCEPTION_TRIGGER"),
    "slow_root_seconds": ("learned", "SLOW_ROOT"),
    "slow_job_seconds": (3600.0, "SLOW_JOB"),
    "slow_root_factor": (3.0, "SLOW_ROOT_FACTOR"),
    "slow_root_floor_seconds": (0.5, "SLOW_ROOT_FLOOR"),
    "slow_root_routes": ((), "SLOW_ROOT_ROUTES"),
    "slow_open_root": (True, "SLOW_OPEN_ROOT"),
    "manual_trigger": (True, "MANUAL_TRIGGER"),
    "external_trigger": (True, "EXTERNAL_TRIGGER"),
    "signal": (None, "SIGNAL"),
    "endpoint": (None, "ENDPOINT"),
    "protocol": (None, "PROTOCOL"),
    "export": ("auto", "EXPORT"),
    "skip_exported": (True, "SKIP_EXPORTED"),
    "jaeger_url": (None, "JAEGER_URL"),
    "grafana_url": (None, "GRAFANA_URL"),
    "incident_log_level": ("WARNING", "INCIDENT_LOG"),
    "notify": (None, "NOTIFY"),
    "flush_cpu_share": (0.5, "FLUSH_CPU_SHARE"),
    "shutdown_seconds": (5.0, "SHUTDOWN_TIMEOUT"),
    "handle_sigterm": (True, "HANDLE_SIGTERM"),
    "light_spans": ("auto", "LIGHT_SPANS"),
    "compiled": (True, "COMPILED"),
    "metrics": (True, "METRICS"),
    "gc_pause_seconds": (0.01, "GC_PAUSE"),
    "gc_pause_trigger_seconds": (1.0, "GC_PAUSE_TRIGGER"),
    "loop_stall_seconds": (0.1, "LOOP_STALL"),
    "loop_stall_trigger_seconds": (1.0, "LOOP_STALL_TRIGGER"),
    "stacks_after_seconds": (0.25, "STACKS_AFTER"),
    "descheduled_seconds": (0.05, "DESCHEDULED"),
    "crash_stacks": (True, "CRASH_STACKS"),
    "hang_seconds": (2.0, "HANG"),
    "log_level": ("WARNING", "LOG_LEVEL"),
    "log_trigger_level": (None, "LOG_TRIGGER"),
    "exceptions": (True, "EXCEPTIONS"),
    "exception_trigger": (True, "EXCEPTION_TRIGGER"),
    "raised_exceptions": (False, "RAISED_EXCEPTIONS"),
    "process_seconds": (1.0, "PROCESS"),
    "memory_trigger_share": (0.95, "MEMORY_TRIGGER"),
    "throttling": (True, "THROTTLING"),
    "throttling_trigger_share": (0.5, "THROTTLING_TRIGGER"),
    "deadline_trigger": (True, "DEADLINE_TRIGGER"),
    "deadline_seconds": (None, "DEADLINE"),
    "stuck_span_seconds": (None, "STUCK_SPAN"),
    "recover": (True, "RECOVER"),
    "rare_values": ((), "RARE_VALUES"),
    "logs_endpoint": (None, "LOGS_ENDPOINT"),
    "profiles_endpoint": (None, "PROFILES_ENDPOINT"),
}


def setting_named(name: str) -> Setting:
    """Return the description of a field."""
    return next(setting for setting in settings_in(Settings) if setting.name == name)


def problems_of(**variables: str) -> tuple[str, ...]:
    """Return the problems found in an environment of these variables, given without the prefix."""
    environment = {f"OTEL_FLIGHT_{name}": text for name, text in variables.items()}
    return find_settings(Settings, environment=environment).problems


class TestSettings:
    """The class of settings itself."""

    def test_the_defaults_and_variables_are_the_promised_ones(self) -> None:
        """Changing a default or a variable's name is a change for users, so it is written twice."""
        found = {
            each.name: (each.default, each.variable.removeprefix("OTEL_FLIGHT_"))
            for each in settings_in(Settings)
        }

        assert found == DEFAULTS

    def test_every_default_is_valid(self) -> None:
        """Settings without arguments hold the defaults, in their normal form."""
        settings = Settings()

        assert dataclasses.asdict(settings) == {
            name: value for name, (value, _) in DEFAULTS.items()
        }

    def test_settings_cannot_be_changed(self) -> None:
        """Settings are a value: shared between threads, compared, used as a key."""
        settings = Settings()

        with pytest.raises(dataclasses.FrozenInstanceError):
            settings.metrics = False  # type: ignore[misc]
        assert hash(settings) == hash(Settings())
        assert settings == Settings()

    def test_settings_are_given_by_name(self) -> None:
        """Positional settings would change their meaning when a field is added."""
        with pytest.raises(TypeError):
            Settings(True)  # type: ignore[call-arg, arg-type]

    @pytest.mark.parametrize(
        ("name", "value", "held"),
        [
            ("window_seconds", "2m", 120.0),
            ("window_seconds", 30, 30.0),
            ("window_bytes", "32MiB", 32 * MIB),
            ("window_bytes", 1e6, 1_000_000),
            ("open_spans", " 500 ", 500),
            ("metrics", "FALSE", False),
            ("metrics", "0", False),
            ("metrics", 0, False),
            ("metrics", "No", False),
            ("metrics", "off", False),
            ("metrics", "1", True),
            ("metrics", 1, True),
            ("metrics", "yes", True),
            ("metrics", " ON ", True),
            ("tail_seconds", "0", 0.0),
            ("error_span", " Root ", "root"),
            ("error_span", False, "off"),
            ("error_span_names", "GET *, ,job", ("GET *", "job")),
            ("error_span_names", ["GET *", "job"], ("GET *", "job")),
            ("slow_root_seconds", "off", None),
            ("slow_root_seconds", "OFF", None),
            ("slow_root_seconds", False, None),
            ("slow_root_seconds", None, None),
            ("slow_root_seconds", "250ms", 0.25),
            ("slow_root_seconds", " Learned ", "learned"),
            (
                "slow_root_routes",
                "GET /report*=5s, POST /bulk=off",
                (("GET /report*", 5.0), ("POST /bulk", None)),
            ),
            ("slow_root_routes", "GET /a?b=c=1s", (("GET /a?b=c", 1.0),)),
            ("slow_root_routes", {"GET /a": 5, "*": "off"}, (("GET /a", 5.0), ("*", None))),
            ("slow_root_routes", [("GET /a", "5s"), ["*", None]], (("GET /a", 5.0), ("*", None))),
            ("slow_root_routes", ["GET /a,b=5s"], (("GET /a,b", 5.0),)),
            ("signal", "sigusr1", "SIGUSR1"),
            ("notify", " exec:/bin/tell 'a b' ", "exec:/bin/tell 'a b'"),
            ("notify", "https://hooks.slack.com/services/T", "https://hooks.slack.com/services/T"),
            ("notify", "off", None),
            ("signal", signal.SIGUSR2, "SIGUSR2"),
            ("signal", "off", None),
            ("ring_directory", Path("/run/flight"), "/run/flight"),
            ("endpoint", " http://localhost:4318 ", "http://localhost:4318"),
            ("protocol", "HTTP/protobuf", "http/protobuf"),
            ("flush_cpu_share", "0.5", 0.5),
            ("flush_cpu_share", 1, 1.0),
        ],
    )
    def test_a_value_or_its_text_is_held_in_one_form(
        self, name: str, value: object, held: object
    ) -> None:
        """Whether given as itself, as text, or as YAML reads it, the field holds the same."""
        settings = Settings(**{name: value})  # type: ignore[arg-type]

        assert getattr(settings, name) == held
        assert type(getattr(settings, name)) is type(held)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("metrics", "2"),
            ("metrics", "y"),
            ("metrics", 2),
            ("metrics", 1.0),
            ("metrics", None),
            ("window_seconds", 0.5),
            ("window_seconds", 3601),
            ("window_seconds", "60"),
            ("window_seconds", True),
            ("window_seconds", None),
            ("window_seconds", float("nan")),
            ("window_seconds", "off"),
            ("window_bytes", 512 * KIB - 1),
            ("window_bytes", GIB + 1),
            ("window_bytes", "16M"),
            ("window_bytes", float("inf")),
            ("open_spans", 15),
            ("open_spans", 16.5),
            ("open_spans", "1e3"),
            ("open_spans", "9" * 5000),
            ("error_span", "some"),
            ("error_span", True),
            ("error_span_names", 7),
            ("error_span_names", ["a", 7]),
            ("error_span_names", [" "]),
            ("error_span_names", b"a"),
            ("slow_root_seconds", 0),
            ("slow_root_seconds", True),
            ("slow_root_seconds", "learn"),
            ("notify", "exec:"),
            ("notify", "exec:'"),
            ("notify", "exec:\0"),
            ("notify", "mailto:me@example.org"),
            ("slow_root_routes", "GET /a"),
            ("slow_root_routes", "GET /a=5"),
            ("slow_root_routes", "=5s"),
            ("slow_root_routes", [("a", 1, 2)]),
            ("slow_root_routes", [5]),
            ("slow_root_routes", [("a", "b")]),
            ("signal", "SIGKILL"),
            ("signal", "SIGSTOP"),
            ("signal", "SIGSEGV"),
            ("signal", "USR1"),
            ("signal", 10),
            ("ring_directory", ""),
            ("ring_directory", b"/tmp"),
            ("ring_directory", "a\0b"),
            ("ring_directory", "~no-such-user-here/x"),
            ("endpoint", "localhost:4317"),
            ("endpoint", "ftp://localhost"),
            ("endpoint", "http://"),
            ("endpoint", "http://[::1"),
            ("protocol", "http/json"),
            ("flush_cpu_share", 0),
            ("flush_cpu_share", "nan"),
            ("flush_cpu_share", "much"),
        ],
    )
    def test_an_impossible_value_is_refused(self, name: str, value: object) -> None:
        """The error names the field, the value, and what can be given."""
        with pytest.raises(InvalidSetting) as raised:
            Settings(**{name: value})  # type: ignore[arg-type]

        assert raised.value.setting == name
        assert raised.value.value is value
        assert raised.value.allowed == setting_named(name).kind.allowed

    @pytest.mark.parametrize(
        ("name", "lowest", "highest"),
        [
            ("window_seconds", 1, 3600),
            ("window_bytes", 512 * KIB, GIB),
            ("runtime_bytes", 128 * KIB, 512 * MIB),
            ("record_bytes", KIB, 48 * KIB),
            ("open_spans", 16, 1_000_000),
            ("tick_seconds", 0.01, 10),
            ("spool_bytes", MIB, 1024 * GIB),
            ("spool_incidents", 1, 100_000),
            ("tail_seconds", 0, 60),
            ("cooldown_seconds", 0, 86400),
            ("incidents_per_hour", 1, 3600),
            ("slow_root_seconds", 0.001, 3600),
            ("slow_root_factor", 1, 1000),
            ("slow_root_floor_seconds", 0.001, 3600),
            ("flush_cpu_share", 0.01, 1),
            ("shutdown_seconds", 0, 60),
        ],
    )
    def test_both_ends_of_a_range_belong_to_it(
        self, name: str, lowest: float, highest: float
    ) -> None:
        """The limits themselves are allowed, and what is beyond them is not."""
        for value in (lowest, highest):
            assert getattr(Settings(**{name: value}), name) == value  # type: ignore[arg-type]
        for value in (lowest - 0.001, highest + 1):
            with pytest.raises(InvalidSetting):
                Settings(**{name: value})  # type: ignore[arg-type]

    def test_a_directory_is_absolute_from_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An application that changes its working directory later keeps its spool."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", "/home/someone")

        assert Settings(spool_directory="spool").spool_directory == str(tmp_path / "spool")
        assert Settings(spool_directory="~/spool").spool_directory == "/home/someone/spool"

    def test_a_lost_working_directory_is_an_invalid_setting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A relative directory in a working directory that was removed is refused, not a crash."""
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()

        with pytest.raises(InvalidSetting):
            Settings(spool_directory="spool")

    def test_the_runtime_lane_gets_at_most_half_of_the_window(self) -> None:
        """A small window with the default runtime part still has room for spans."""
        assert Settings().runtime_lane_bytes == 2 * MIB
        assert Settings(window_bytes="1MiB").runtime_lane_bytes == 512 * KIB  # type: ignore[arg-type]


class TestSources:
    """Arguments over the configuration file over the environment over the defaults."""

    def test_nothing_said_means_the_defaults(self) -> None:
        """Without any source, all settings are at their defaults and say so."""
        found = find_settings(Settings, environment={})

        assert found.settings == Settings()
        assert set(found.origins.values()) == {"default"}
        assert list(found.origins) == [setting.name for setting in settings_in(Settings)]
        assert found.problems == ()

    def test_each_source_wins_over_the_next(self) -> None:
        """A value is taken from the first source that has one, and its origin is remembered."""
        found = find_settings(
            Settings,
            arguments={"tail_seconds": 1},
            file_options={"tail_seconds": 2, "cooldown_seconds": 20},
            environment={
                "OTEL_FLIGHT_TAIL": "3s",
                "OTEL_FLIGHT_COOLDOWN": "30s",
                "OTEL_FLIGHT_WINDOW": "40s",
            },
        )

        assert found.settings == Settings(tail_seconds=1, cooldown_seconds=20, window_seconds=40)
        assert found.origins["tail_seconds"] == "argument"
        assert found.origins["cooldown_seconds"] == "configuration file"
        assert found.origins["window_seconds"] == "environment OTEL_FLIGHT_WINDOW"
        assert found.origins["metrics"] == "default"

    def test_the_environment_of_the_process_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without an environment given, the process's own counts, as it is at that moment."""
        monkeypatch.setenv("OTEL_FLIGHT_TAIL", "7s")

        assert find_settings(Settings).settings.tail_seconds == 7

    def test_every_setting_can_come_from_its_variable(self) -> None:
        """Each field reads the variable it is documented with."""
        others = {
            "enabled": "false",
            "window_seconds": "2m",
            "window_bytes": "32MiB",
            "runtime_bytes": "3MiB",
            "record_bytes": "2KiB",
            "open_spans": "99",
            "redact": "false",
            "redact_names": "*iban,pin",
            "redact_allow": "ci.*",
            "tick_seconds": "20ms",
            "ring_directory": "/ring",
            "spool_directory": "/spool",
            "spool_bytes": "2MiB",
            "spool_incidents": "5",
            "retention_seconds": "2d",
            "tail_seconds": "5s",
            "cooldown_seconds": "5s",
            "incidents_per_hour": "5",
            "host_incidents": "false",
            "error_span": "root",
            "error_span_names": "a,b",
            "error_ignore_exceptions": "KeyError,my.*",
            "log_exception_trigger": "false",
            "slow_root_seconds": "off",
            "slow_job_seconds": "10m",
            "slow_root_factor": "5.0",
            "slow_root_floor_seconds": "100ms",
            "slow_root_routes": "a=1s",
            "slow_open_root": "false",
            "manual_trigger": "false",
            "external_trigger": "false",
            "signal": "SIGUSR2",
            "endpoint": "https://collector:4317",
            "protocol": "grpc",
            "export": "json",
            "skip_exported": "false",
            "jaeger_url": "http://jaeger:16686",
            "grafana_url": "https://grafana.example.com?datasource=tempo-eu",
            "incident_log_level": "ERROR",
            "notify": "exec:tell me",
            "flush_cpu_share": "0.1",
            "shutdown_seconds": "9s",
            "handle_sigterm": "false",
            "light_spans": "off",
            "compiled": "false",
            "metrics": "false",
            "gc_pause_seconds": "20ms",
            "gc_pause_trigger_seconds": "2s",
            "loop_stall_seconds": "200ms",
            "loop_stall_trigger_seconds": "off",
            "stacks_after_seconds": "off",
            "crash_stacks": "false",
            "hang_seconds": "5s",
            "descheduled_seconds": "off",
            "log_level": "ERROR",
            "log_trigger_level": "CRITICAL",
            "exceptions": "false",
            "exception_trigger": "false",
            "raised_exceptions": "true",
            "process_seconds": "5s",
            "memory_trigger_share": "0.8",
            "throttling": "false",
            "throttling_trigger_share": "off",
            "deadline_trigger": "false",
            "deadline_seconds": "30s",
            "stuck_span_seconds": "1m",
            "recover": "false",
            "rare_values": "tenant,http.route",
            "logs_endpoint": "http://collector:4317",
            "profiles_endpoint": "http://collector:4318",
        }
        environment = {setting_named(name).variable: text for name, text in others.items()}

        found = find_settings(Settings, environment=environment)

        assert found.problems == ()
        for setting in settings_in(Settings):
            assert found.origins[setting.name] == f"environment {setting.variable}"
            assert getattr(found.settings, setting.name) != setting.default
            assert setting.write(getattr(found.settings, setting.name)) == others[setting.name]

    @pytest.mark.parametrize("text", ["", " "])
    def test_an_empty_variable_is_the_same_as_none(self, text: str) -> None:
        """As everywhere in OpenTelemetry, setting a variable to nothing unsets it."""
        found = find_settings(Settings, environment={"OTEL_FLIGHT_TAIL": text})

        assert found.settings == Settings()
        assert found.origins["tail_seconds"] == "default"
        assert found.problems == ()

    @pytest.mark.parametrize("option", ["", None])
    def test_an_empty_option_is_the_same_as_none(self, option: object) -> None:
        """An option whose substituted variable is unset leaves the setting to the other sources."""
        found = find_settings(
            Settings,
            file_options={"slow_root_seconds": option},
            environment={"OTEL_FLIGHT_SLOW_ROOT": "3s"},
        )

        assert found.settings.slow_root_seconds == 3

    def test_a_bad_variable_is_a_problem_and_the_default_is_used(self) -> None:
        """The problem names the variable, the value, what is used, and what could be given."""
        assert problems_of(WINDOW="60") == (
            (
                "OTEL_FLIGHT_WINDOW cannot be '60' (it has no unit: write 60s or 60ms): the "
                "default 1m is used instead; give a duration from 1s to 1h"
            ),
        )
        assert problems_of(METRICS="maybe", ENDPOINT="nowhere") == (
            (
                "OTEL_FLIGHT_ENDPOINT cannot be 'nowhere': the default (unset) is used instead; "
                "give a URL that begins with http:// or https://"
            ),
            (
                "OTEL_FLIGHT_METRICS cannot be 'maybe': the default true is used instead; give "
                "true or false"
            ),
        )

    def test_a_bad_option_is_a_problem_and_the_next_source_is_used(self) -> None:
        """The problem of a configuration file says which other source was used instead."""
        found = find_settings(
            Settings, file_options={"tail_seconds": "soon"}, environment={"OTEL_FLIGHT_TAIL": "3s"}
        )

        assert found.settings.tail_seconds == 3
        assert found.problems == (
            (
                "the option tail_seconds of the configuration file cannot be 'soon' (it is not a "
                "duration: write it as 500ms, 2s or 1m): 3s from the environment OTEL_FLIGHT_TAIL "
                "is used instead; give a duration from 0s to 1m"
            ),
        )

    def test_a_variable_or_option_that_does_not_exist_is_a_problem(self) -> None:
        """A misspelt name is reported with the names that are close to it."""
        found = find_settings(
            Settings,
            file_options={"window": 5},
            environment={"OTEL_FLIGHT_SLOWROOT": "5s", "OTEL_SERVICE_NAME": "shop", "PATH": ""},
        )

        assert found.problems == (
            (
                "an option of the configuration file is ignored: there is no setting 'window': "
                "did you mean window_bytes or window_seconds?"
            ),
            (
                "an environment variable is ignored: there is no setting 'OTEL_FLIGHT_SLOWROOT': "
                "did you mean OTEL_FLIGHT_SLOW_ROOT or OTEL_FLIGHT_SLOW_OPEN_ROOT?"
            ),
        )

    def test_a_bad_variable_that_does_not_count_is_no_problem(self) -> None:
        """Where an argument wins, nobody needs to know that the variable is wrong."""
        found = find_settings(
            Settings, arguments={"tail_seconds": 1}, environment={"OTEL_FLIGHT_TAIL": "soon"}
        )

        assert found.problems == ()

    def test_a_bad_argument_raises(self) -> None:
        """Arguments are code, and a mistake in code is to be seen at once."""
        with pytest.raises(InvalidSetting, match="tail_seconds cannot be 'soon'"):
            find_settings(Settings, arguments={"tail_seconds": "soon"})
        with pytest.raises(UnknownSetting, match="did you mean tail_seconds"):
            find_settings(Settings, arguments={"tail_second": 1})
        with pytest.raises(UnknownSetting, match="did you mean tail_seconds"):
            find_settings(Settings, Settings(), {"tail_second": 1})

    def test_complete_settings_are_not_mixed_with_the_environment(self) -> None:
        """A `Settings` object means what it says on every machine; only arguments change it."""
        found = find_settings(
            Settings,
            Settings(tail_seconds=1),
            {"cooldown_seconds": "5s"},
            environment={"OTEL_FLIGHT_WINDOW": "40s", "OTEL_FLIGHT_NONSENSE": "1"},
        )

        assert found.settings == Settings(tail_seconds=1, cooldown_seconds=5)
        assert found.origins["tail_seconds"] == "argument"
        assert found.origins["cooldown_seconds"] == "argument"
        assert found.origins["window_seconds"] == "default"
        assert found.problems == ()

    def test_finding_settings_says_nothing_by_itself(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """`otel-flight config` shows the problems in its own way."""
        find_settings(Settings, environment={"OTEL_FLIGHT_WINDOW": "quiet"})

        assert caplog.records == []

    def test_a_problem_is_warned_of_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """However many entry points find the same problem, the process logs one warning."""
        problems = problems_of(WINDOW="warned of once") + problems_of(TAIL="warned of once")

        warn_once(problems)
        warn_once(problems)

        assert [record.getMessage() for record in caplog.records] == list(problems)
        assert {(record.name, record.levelno) for record in caplog.records} == {
            ("otel_flight", logging.WARNING)
        }


class TestDocumentation:
    """What is said about the settings elsewhere."""

    def test_the_environment_variables_plugin_names_them_all(self) -> None:
        """`opentelemetry-instrument` has a flag for each setting, and for nothing else."""
        names = {name for name in dir(environment_variables) if name.startswith("OTEL_")}

        assert names == {setting.variable for setting in settings_in(Settings)}
        assert all(getattr(environment_variables, name) == name for name in names)
        assert sorted(names) == environment_variables.__all__

    def test_the_configuration_page_is_the_generated_one(self) -> None:
        """The committed reference is what its generator makes of the settings now."""
        page = runpy.run_path(str(DOCS / "generate_configuration.py"))["configuration_page"]()

        committed = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
        assert committed == page, "run `python docs/generate_configuration.py`"

    def test_the_configuration_page_names_every_setting(self) -> None:
        """No setting is missing from the reference, with its values, its default and a sentence."""
        page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")

        for setting in settings_in(Settings):
            assert f"`{setting.variable}`" in page
            assert f"`{setting.name}`" in page
