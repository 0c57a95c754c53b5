"""All settings: one frozen class whose fields know their environment variable, kind and default.

The docstring under each field is its entry in the configuration reference, which is generated.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from otel_flight.errors import InvalidQuantity, InvalidSetting
from otel_flight.settings import kinds
from otel_flight.settings.declaration import ENVIRONMENT_PREFIX
from otel_flight.settings.declaration import setting_field as _setting
from otel_flight.settings.runtime_fields import RuntimeSettings

__all__ = ["ENVIRONMENT_PREFIX", "Setting", "Settings", "all_settings"]

_KIB, _MIB, _GIB, _TIB = 1024, 1024**2, 1024**3, 1024**4
_MINUTE, _HOUR = 60.0, 3600.0

_SLOW_ROOT_LIMIT = kinds.or_off(kinds.duration(0.001, _HOUR))


@dataclass(frozen=True, kw_only=True)
class Settings(RuntimeSettings):
    """How the flight recorder behaves.

    Every field takes a value of its type, or a text in the syntax of its environment variable
    (``window_seconds="2m"``), and holds the former afterwards. The environment itself is not read
    here: see ``otel_flight.settings.sources``.

    Raises:
        InvalidSetting: A value that the field cannot have.
    """

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
    five times less often in a process that does nothing."""

    ring_directory: str | None = _setting("RING_DIRECTORY", None, kinds.or_unset(kinds.directory()))
    """Where the ring file is kept; should be in memory. Unset: `/dev/shm/otel-flight-<uid>`, else a
    directory of that name in the temporary directory."""

    spool_directory: str | None = _setting(
        "SPOOL_DIRECTORY", None, kinds.or_unset(kinds.directory())
    )
    """Where incidents are kept; should be on disk. Unset: `$XDG_STATE_HOME/otel-flight/spool`, else
    `~/.local/state/otel-flight/spool`."""

    spool_bytes: int = _setting("SPOOL_BYTES", 256 * _MIB, kinds.size(_MIB, _TIB))
    """The most that all incidents in the spool may take; delivered ones make room first."""

    spool_incidents: int = _setting("SPOOL_INCIDENTS", 100, kinds.count(1, 100_000))
    """The most incidents in the spool; delivered ones make room first."""

    tail_seconds: float = _setting("TAIL", 2.0, kinds.duration(0, _MINUTE))
    """How long an incident stays open after its trigger, to hold the immediate aftermath."""

    cooldown_seconds: float = _setting("COOLDOWN", _MINUTE, kinds.duration(0, 24 * _HOUR))
    """How long after an incident the same cause makes no other."""

    incidents_per_hour: int = _setting("INCIDENTS_PER_HOUR", 12, kinds.count(1, 3600))
    """The most incidents in any hour, whatever their causes."""

    error_span: Literal["all", "root", "off"] = _setting(
        "ERROR_SPAN", "all", kinds.choice("all", "root", "off")
    )
    """Which spans make an incident by ending with an error: all, only local roots (the spans that
    enter this process), or none."""

    error_span_names: tuple[str, ...] = _setting("ERROR_SPAN_NAMES", ("*",), kinds.globs())
    """The names of the spans that `error_span` is about."""

    error_ignore_exceptions: tuple[str, ...] = _setting(
        "ERROR_IGNORE_EXCEPTIONS", (), kinds.globs()
    )
    """Exception types (the attribute `exception.type`) that make no incident."""

    error_cancelled: bool = _setting("ERROR_CANCELLED", False, kinds.flag())
    """Whether an exception recorded on a span that ended without an error status counts as an
    error too, as cancellation leaves it."""

    slow_root_seconds: float | None = _setting("SLOW_ROOT", 1.0, _SLOW_ROOT_LIMIT)
    """How long a local root (a request, a job) may take before it makes an incident."""

    slow_root_routes: tuple[tuple[str, float | None], ...] = _setting(
        "SLOW_ROOT_ROUTES", (), kinds.routes(_SLOW_ROOT_LIMIT)
    )
    """Limits for local roots by span name, instead of `slow_root_seconds`; the first pattern that
    fits decides. Example: `GET /report*=5s,POST /bulk=off`."""

    slow_open_root: bool = _setting("SLOW_OPEN_ROOT", True, kinds.flag())
    """Whether a local root over its limit makes its incident while it is still open: one that hangs
    never ends."""

    manual_trigger: bool = _setting("MANUAL_TRIGGER", True, kinds.flag())
    """Whether `recorder.trigger()` makes incidents."""

    external_trigger: bool = _setting("EXTERNAL_TRIGGER", True, kinds.flag())
    """Whether `otel-flight trigger` of the same user makes incidents."""

    signal: str | None = _setting("SIGNAL", None, kinds.or_off(kinds.signal_name()))
    """The signal that makes an incident. A handler the application has set is called as well."""

    endpoint: str | None = _setting("ENDPOINT", None, kinds.or_unset(kinds.url()))
    """Where incidents are sent. Unset: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else
    `OTEL_EXPORTER_OTLP_ENDPOINT`."""

    protocol: Literal["grpc", "http/protobuf"] | None = _setting(
        "PROTOCOL", None, kinds.or_unset(kinds.choice("grpc", "http/protobuf"))
    )
    """How incidents are sent. Unset: `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, else
    `OTEL_EXPORTER_OTLP_PROTOCOL`, else grpc."""

    export: Literal["auto", "otlp", "json", "off"] = _setting(
        "EXPORT", "auto", kinds.choice("auto", "otlp", "json", "off")
    )
    """What becomes of an incident besides its file in the spool: sent by OTLP, copied to OTLP-JSON,
    or nothing. auto: OTLP when an endpoint is configured, else JSON."""

    skip_exported: bool = _setting("SKIP_EXPORTED", True, kinds.flag())
    """Whether spans that the application's own pipeline exports are left out of what is sent."""

    jaeger_url: str | None = _setting("JAEGER_URL", None, kinds.or_unset(kinds.url()))
    """Where Jaeger's web pages are: `otel-flight show` prints links to an incident there."""

    grafana_url: str | None = _setting("GRAFANA_URL", None, kinds.or_unset(kinds.url()))
    """Where Grafana is: `otel-flight show` prints links to an incident there. `?datasource=` names
    the Tempo data source, `tempo` when it does not."""

    flush_cpu_share: float = _setting("FLUSH_CPU_SHARE", 0.5, kinds.share(0.01, 1))
    """The most of one processor that sending incidents may take from the application."""

    shutdown_seconds: float = _setting("SHUTDOWN_TIMEOUT", 5.0, kinds.duration(0, _MINUTE))
    """How long stopping may take. What is not delivered by then stays in the spool."""

    handle_sigterm: bool = _setting("HANDLE_SIGTERM", True, kinds.flag())
    """Whether SIGTERM, where the application leaves it to kill the process, waits until what is
    open is in the spool: no longer than `shutdown_seconds`."""

    compiled: bool = _setting("COMPILED", True, kinds.flag())
    """Whether the hot path in C is used, where it is installed and knows the SDK. It records the
    same, faster."""

    metrics: bool = _setting("METRICS", True, kinds.flag())
    """Whether the recorder's own metrics are offered to the OpenTelemetry meter provider."""

    def __post_init__(self) -> None:
        for setting in all_settings():
            value = getattr(self, setting.name)
            object.__setattr__(self, setting.name, setting.read(value))

    @property
    def runtime_lane_bytes(self) -> int:
        """The bytes really set apart for runtime events: never more than half of the window."""
        return min(self.runtime_bytes, self.window_bytes // 2)


@dataclass(frozen=True)
class Setting:
    """One field of ``Settings``, described.

    Attributes:
        name: The field.
        variable: Its environment variable.
        kind: What it can be.
        default: Its value when nothing else is said.
    """

    name: str
    variable: str
    kind: kinds.Kind
    default: object

    def read(self, value: object) -> object:
        """Return a value or a text as the field holds it.

        Raises:
            InvalidSetting: The field cannot have that value.
        """
        try:
            return self.kind.read(value)
        except (ValueError, TypeError, OverflowError) as error:
            reason = f"it {error.advice}" if isinstance(error, InvalidQuantity) else ""
            raise InvalidSetting(self.name, value, self.kind.allowed, reason) from None

    def write(self, value: object) -> str:
        """Return a value of the field as the environment variable takes it."""
        return self.kind.write(value)


def all_settings() -> tuple[Setting, ...]:
    """Return all settings in their order of definition, those of runtime events last."""
    return _ALL


def _is_inherited(field: dataclasses.Field[object]) -> bool:
    return field.name in RuntimeSettings.__dataclass_fields__


_ALL = tuple(
    Setting(field.name, field.metadata["variable"], field.metadata["kind"], field.default)
    for field in sorted(dataclasses.fields(Settings), key=_is_inherited)
)
