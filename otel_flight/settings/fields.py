"""The settings that belong to no single source or trigger; those declare their own.

The docstring under each field is its entry in the configuration reference, which is generated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from otel_flight.settings import kinds, place_kinds
from otel_flight.settings.declaration import SettingsGroup
from otel_flight.settings.declaration import setting_field as _setting

__all__ = ["CoreSettings"]

_KIB, _MIB, _GIB, _TIB = 1024, 1024**2, 1024**3, 1024**4
_MINUTE, _HOUR = 60.0, 3600.0


@dataclass(frozen=True, kw_only=True)
class CoreSettings(SettingsGroup):
    """How the window, the incidents, their delivery and the recorder itself behave."""

    enabled: bool = _setting("ENABLED", True, kinds.flag())
    """Whether anything is recorded at all."""

    window_seconds: float = _setting("WINDOW", _MINUTE, kinds.duration(1, _HOUR))
    """How far back the window should reach. What fits into `window_bytes` may be less, or more."""

    window_bytes: int = _setting("WINDOW_BYTES", 16 * _MIB, kinds.size(512 * _KIB, _GIB))
    """The size of the ring file, which is never exceeded: the oldest records make room."""

    runtime_bytes: int = _setting("RUNTIME_BYTES", 2 * _MIB, kinds.size(128 * _KIB, 512 * _MIB))
    """The part of `window_bytes` set apart for runtime events, so that many of them cannot push out
    spans. At most half of `window_bytes` is used."""

    record_bytes: int = _setting("RECORD_BYTES", 48 * _KIB, kinds.size(_KIB, 48 * _KIB))
    """The longest record. Of a span that needs more, the longest strings are cut, and marked."""

    open_spans: int = _setting("OPEN_SPANS", 10_000, kinds.count(16, 1_000_000))
    """How many open spans are kept track of. Beyond, the one opened first is given up."""

    tick_seconds: float = _setting("TICK", 0.1, kinds.duration(0.01, 10))
    """How often the background thread looks at open spans, outside requests and its own health;
    eight times less often in a process that does nothing."""

    redact: bool = _setting("REDACT", True, kinds.flag())
    """Whether secrets are taken out of what is recorded, before it is in memory or in a file: see
    the page on what is kept of your data."""

    redact_names: tuple[str, ...] = _setting("REDACT_NAMES", (), kinds.globs())
    """Names of attributes, and of what else has a name in a text, whose values are secrets, besides
    those that are known. In them `*` stands for anything; case does not matter, and `-` is also
    `_`, `.`, a space or nothing."""

    redact_allow: tuple[str, ...] = _setting("REDACT_ALLOW", (), kinds.globs())
    """Names of attributes that are left as they are, whatever is in them."""

    ring_directory: str | None = _setting(
        "RING_DIRECTORY", None, kinds.or_unset(place_kinds.directory())
    )
    """Where the ring file is kept; should be in memory. Unset: `/dev/shm/otel-flight-<uid>`, else a
    directory of that name in the temporary directory."""

    spool_directory: str | None = _setting(
        "SPOOL_DIRECTORY", None, kinds.or_unset(place_kinds.directory())
    )
    """Where incidents are kept; should be on disk. Unset: `$XDG_STATE_HOME/otel-flight/spool`, else
    `~/.local/state/otel-flight/spool`. If that cannot be used: `otel-flight-<uid>` in a named
    directory, then the unset ones, then `otel-flight-<uid>/spool` in the temporary directory, then
    memory, from where incidents are only sent."""

    spool_bytes: int = _setting("SPOOL_BYTES", 256 * _MIB, kinds.size(_MIB, _TIB))
    """The most that all incidents in the spool may take; delivered ones make room first."""

    spool_incidents: int = _setting("SPOOL_INCIDENTS", 100, kinds.count(1, 100_000))
    """The most incidents in the spool; delivered ones make room first."""

    retention_seconds: float | None = _setting(
        "RETENTION", 14 * 24 * _HOUR, kinds.or_off(kinds.duration(_MINUTE, 3650 * 24 * _HOUR))
    )
    """How old incidents in the spool, and rings of dead processes, become: then they are removed,
    whether they were delivered or not. off: only what needs their room removes them."""

    tail_seconds: float = _setting("TAIL", 2.0, kinds.duration(0, _MINUTE))
    """How long an incident stays open after its trigger, to hold the immediate aftermath."""

    cooldown_seconds: float = _setting("COOLDOWN", _MINUTE, kinds.duration(0, 24 * _HOUR))
    """How long after an incident the same cause makes no other, at first: it doubles each time."""

    incidents_per_hour: int = _setting("INCIDENTS_PER_HOUR", 12, kinds.count(1, 3600))
    """How many incidents there may be at once, and how many more in an hour: a token bucket."""

    host_incidents: bool = _setting("HOST_INCIDENTS", True, kinds.flag())
    """Whether the processes of one service on one host make one incident together, and share
    cooldowns and budget. They have their rings in one directory, and their incidents, too."""

    endpoint: str | None = _setting("ENDPOINT", None, kinds.or_unset(place_kinds.url()))
    """Where incidents are sent. Unset: where the application's own exporter sends, else
    `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else `OTEL_EXPORTER_OTLP_ENDPOINT`."""

    protocol: Literal["grpc", "http/protobuf"] | None = _setting(
        "PROTOCOL", None, kinds.or_unset(kinds.choice("grpc", "http/protobuf"))
    )
    """How incidents are sent. Unset: as the application's own exporter does, else by what
    `OTEL_TRACES_EXPORTER`, `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` or `OTEL_EXPORTER_OTLP_PROTOCOL`
    say, else grpc."""

    logs_endpoint: str | None = _setting("LOGS_ENDPOINT", None, kinds.or_unset(place_kinds.url()))
    """Where the log records of an incident are sent besides, as OTLP logs. Unset: they are only
    events of its spans."""

    profiles_endpoint: str | None = _setting(
        "PROFILES_ENDPOINT", None, kinds.or_unset(place_kinds.url())
    )
    """Where the stack samples of an incident are sent besides, as OTLP profiles by HTTP: a signal
    in development, whose form may change. Unset: nowhere."""

    export: Literal["auto", "otlp", "json", "off"] = _setting(
        "EXPORT", "auto", kinds.choice("auto", "otlp", "json", "off")
    )
    """What becomes of an incident besides its file in the spool: sent by OTLP, copied to OTLP-JSON,
    or nothing. auto: OTLP when an endpoint is configured, else JSON."""

    skip_exported: bool = _setting("SKIP_EXPORTED", True, kinds.flag())
    """Whether spans that the application's own pipeline has surely exported to the same place are
    left out of what is sent."""

    jaeger_url: str | None = _setting("JAEGER_URL", None, kinds.or_unset(place_kinds.url()))
    """Where Jaeger's web pages are: `otel-flight show` prints links to an incident there."""

    grafana_url: str | None = _setting("GRAFANA_URL", None, kinds.or_unset(place_kinds.url()))
    """Where Grafana is: `otel-flight show` prints links to an incident there. `?datasource=` names
    the Tempo data source, `tempo` when it does not."""

    incident_log_level: str | None = _setting(
        "INCIDENT_LOG", "WARNING", kinds.or_off(kinds.log_level())
    )
    """At which level one record in the log tells of each incident: its id, its cause, the first
    finding, and where to look."""

    notify: str | None = _setting("NOTIFY", None, kinds.or_off(place_kinds.notification_target()))
    """Who is told of each incident besides: a command, `exec:/usr/local/bin/page --team shop`, or a
    server, `https://hooks.slack.com/services/…`, to which it is posted."""

    flush_cpu_share: float = _setting("FLUSH_CPU_SHARE", 0.5, kinds.share(0.01, 1))
    """The most of one CPU that sending incidents may take from the application."""

    shutdown_seconds: float = _setting("SHUTDOWN_TIMEOUT", 5.0, kinds.duration(0, _MINUTE))
    """How long stopping may take. What is not delivered by then stays in the spool."""

    handle_sigterm: bool = _setting("HANDLE_SIGTERM", True, kinds.flag())
    """Whether SIGTERM, where the application leaves it to kill the process, waits until what is
    open is in the spool: no longer than `shutdown_seconds`."""

    light_spans: Literal["auto", "python", "off"] = _setting(
        "LIGHT_SPANS", "auto", kinds.choice("auto", "python", "off")
    )
    """Whether `install()` lets tracers make spans of our own, which cost a fraction of the SDK's,
    where nobody else looks at them before they end: where there are no other span processors than
    the SDK's own exporting ones, which get theirs as ever. `off`: all are the SDK's, and so is what
    makes them the current ones. `python`: none of it is done in C."""

    compiled: bool = _setting("COMPILED", True, kinds.flag())
    """Whether the hot path in C is used, where it is installed and knows the SDK. It records the
    same, faster."""

    metrics: bool = _setting("METRICS", True, kinds.flag())
    """Whether the recorder's own metrics are offered to the OpenTelemetry meter provider."""

    @property
    def runtime_lane_bytes(self) -> int:
        """The bytes really set apart for runtime events: never more than half of the window."""
        return min(self.runtime_bytes, self.window_bytes // 2)
