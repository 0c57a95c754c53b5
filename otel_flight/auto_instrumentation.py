"""Everything `opentelemetry-instrument` and the YAML configuration find by entry points.

An exception in a pre-instrument hook aborts all instrumentation of the host, so nothing here lets
one out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER_ARG
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from otel_flight.installation import install_with, is_sdk_disabled, uninstall
from otel_flight.interpreter.sdk.pipeline import (
    exporter_of,
    pipeline_of,
    processors_in,
    remove_processors,
)
from otel_flight.recording.sampler import FlightSampler
from otel_flight.settings.asked import AskedSettings

_logger = logging.getLogger("otel_flight")
_NAME: Final = "otel_flight"
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_DEFAULT_SAMPLER: Final = "parentbased_always_on"


def pre_instrument() -> None:
    """Install the recorder into the global tracer provider, before libraries are instrumented.

    Idempotent; never raises. Turned off by `OTEL_FLIGHT_ENABLED=false`, or like any
    instrumentation by `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=otel_flight`.
    """
    disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
    if not disabled & {_NAME, "*"}:
        _install_quietly({})


class FlightInstrumentor:
    """The recorder as an instrumentor: by name in the YAML configuration, with options.

    ::

        instrumentation/development:
          python:
            otel_flight:
              slow_root_seconds: 500ms

    It has the shape of `opentelemetry.instrumentation.instrumentor.BaseInstrumentor` and does not
    need that package, which pins its own dependencies exactly.
    """

    _is_instrumented = False

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether `instrument` ran and `uninstrument` did not."""
        return FlightInstrumentor._is_instrumented

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return no packages: there is no library whose presence decides."""
        return ()

    def instrument(
        self, *, skip_dep_check: bool = False, tracer_provider: Any = None, **options: Any
    ) -> None:
        """Install the recorder, unless it is there already. Never raises.

        Args:
            skip_dep_check: accepted for the loader's sake; there are no dependencies to check.
            tracer_provider: None: the global one.
            **options: settings by their field names, in the syntax of the environment.
        """
        options.pop("meter_provider", None)
        options.pop("logger_provider", None)
        FlightInstrumentor._is_instrumented = True
        _install_quietly(options, tracer_provider)

    def uninstrument(self, **options: Any) -> None:
        """Stop the recorder."""
        FlightInstrumentor._is_instrumented = False
        uninstall()


class FlightSpanExporter(SpanExporter):
    """What `OTEL_TRACES_EXPORTER=otel_flight` names: incidents only, nothing else is exported.

    The SDK puts every exporter behind a batch processor with a queue and a thread. This one
    installs the recorder instead, and removes that batch processor again.
    """

    is_flight_recorder: Final = True

    def __init__(self) -> None:
        _install_quietly({})

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Remove the batch processor, which is only still there when no hook ran after it."""
        _retire_batch_processors(trace.get_tracer_provider())
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Do nothing: the recorder is stopped by its span processor."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: nothing waits here."""
        return True


def sampler_from_environment(argument: str | float | None = None) -> Sampler:
    """Return the sampler that `OTEL_TRACES_SAMPLER=otel_flight` names.

    Args:
        argument: `OTEL_TRACES_SAMPLER_ARG`: the sampler that decides what is exported, as
            `<name>` or `<name>=<ratio>` with the SDK's names; or a ratio alone, which means
            `parentbased_traceidratio`. Empty: `parentbased_always_on`.
    """
    text = "" if argument is None else str(argument).strip()
    try:
        return FlightSampler(_parse_sampler(text))
    except (ValueError, KeyError):
        _logger.warning(
            "OTEL_TRACES_SAMPLER_ARG=%r names no sampler; give e.g. parentbased_traceidratio=0.01. "
            "Using %s.",
            text,
            _DEFAULT_SAMPLER,
        )
        return FlightSampler(ParentBased(ALWAYS_ON))


class FlightSamplerPlugin(FlightSampler):
    """The sampler of the YAML configuration, where plugins take no options: `otel_flight:`."""

    def __init__(self) -> None:
        wrapped = sampler_from_environment(os.environ.get(OTEL_TRACES_SAMPLER_ARG))
        super().__init__(wrapped.root if isinstance(wrapped, FlightSampler) else wrapped)


def _parse_sampler(text: str) -> Sampler:
    name, _, ratio = text.partition("=")
    if name and name[0].isdigit():
        name, ratio = "parentbased_traceidratio", name
    roots: dict[str, Sampler] = {"always_on": ALWAYS_ON, "always_off": ALWAYS_OFF}
    name = name or _DEFAULT_SAMPLER
    base = name.removeprefix("parentbased_")
    root = TraceIdRatioBased(float(ratio or 1.0)) if base == "traceidratio" else roots[base]
    return ParentBased(root) if base != name else root


def _install_quietly(options: dict[str, Any], tracer_provider: Any = None) -> None:
    if is_sdk_disabled():
        return
    try:
        provider = tracer_provider or trace.get_tracer_provider()
        install_with(AskedSettings(file_options=options), provider)
        _retire_batch_processors(provider)
    except Exception:
        _logger.exception("otel-flight could not be installed; the application goes on without it.")


def _retire_batch_processors(provider: Any) -> None:
    """Remove the batch processors around `FlightSpanExporter`, and stop their threads."""
    if not isinstance(provider, TracerProvider):
        return
    pipeline = pipeline_of(provider)
    retired = [
        processor
        for processor in processors_in(pipeline)
        if isinstance(exporter_of(processor), FlightSpanExporter)
    ]
    if retired:
        remove_processors(pipeline, lambda processor: processor in retired)
    for processor in retired:
        processor.shutdown()
