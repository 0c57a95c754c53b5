"""How the recorder gets into a tracer provider, and out of it again."""

from __future__ import annotations

import logging
import threading
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from otel_flight.assembly import Settings
from otel_flight.clock import SYSTEM_CLOCK, Clock
from otel_flight.flight_processor import FlightSpanProcessor
from otel_flight.interpreter.sdk_pipeline import (
    pipeline_of,
    processors_in,
    remove_processors,
    tracers_of,
)
from otel_flight.recorder import FlightRecorder
from otel_flight.recording.sampler import FlightSampler
from otel_flight.settings.sources import SettingsInForce, find_settings, warn_once

_logger = logging.getLogger("otel_flight")
_install_lock = threading.Lock()  # guards _installed and _provider
_installed: FlightRecorder | None = None
_provider: TracerProvider | None = None


def install(
    settings: Settings | None = None,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    exporter: SpanExporter | None = None,
    **overrides: Any,
) -> FlightRecorder | None:
    """Install a recorder in a tracer provider: span processor, sampler, triggers.

    Does nothing but return the same recorder when called again for the same provider.

    Args:
        settings: complete settings, for which the environment is not read.
        tracer_provider: the provider to install it in; None: the global one.
        exporter: what the spans of incidents are sent through, see `FlightRecorder`; None: what the
            settings choose.
        **overrides: single settings by their field names.

    Returns:
        The recorder; None when it is disabled, or when the provider is not the SDK's (one warning
        says what is missing).

    Raises:
        InvalidSetting: an argument has a value its setting cannot have.
        UnknownSetting: there is no setting of that name.
    """
    in_force = find_settings(Settings, settings, overrides)
    return install_with(in_force, tracer_provider or trace.get_tracer_provider(), exporter)


def install_with(
    in_force: SettingsInForce[Settings],
    provider: Any,
    exporter: SpanExporter | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> FlightRecorder | None:
    """Install with settings that were found already; see `install`."""
    global _installed, _provider
    if not isinstance(provider, TracerProvider):
        _logger.warning(
            "otel-flight records nothing: the tracer provider is %s, not the SDK's. Install "
            "opentelemetry-sdk and set a TracerProvider first (opentelemetry-instrument does, when "
            "opentelemetry-distro is installed).",
            f"{type(provider).__module__}.{type(provider).__qualname__}",
        )
        return None
    with _install_lock:
        known = _recorder_of(provider)
        if known is not None:
            return known
        warn_once(in_force.problems)
        if not in_force.settings.enabled:
            return None
        service_name = str(provider.resource.attributes.get("service.name", ""))
        recorder = FlightRecorder(
            in_force, service_name=service_name, exporter=exporter, clock=clock
        )
        provider.add_span_processor(FlightSpanProcessor(recorder))
        _wrap_samplers(provider)
        _installed, _provider = recorder, provider
    return recorder


def get_recorder() -> FlightRecorder | None:
    """Return the recorder that `install` installed last, None when there is none."""
    return _installed


def uninstall() -> None:
    """Stop the installed recorder; remove its span processor and restore the samplers."""
    global _installed, _provider
    with _install_lock:
        recorder, _installed = _installed, None
        provider, _provider = _provider, None
    if recorder is not None:
        recorder.stop()
    if provider is not None:
        _unwrap_samplers(provider)
        remove_processors(
            pipeline_of(provider), lambda processor: isinstance(processor, FlightSpanProcessor)
        )


def _recorder_of(provider: TracerProvider) -> FlightRecorder | None:
    for processor in processors_in(pipeline_of(provider)):
        if isinstance(processor, FlightSpanProcessor):
            return processor.recorder
    return None


def _wrap_samplers(provider: TracerProvider) -> None:
    """Wrap the provider's sampler and those of the tracers it has made already.

    A tracer keeps the sampler it was made with. SDKs before 1.39 do not remember their tracers:
    there, tracers made before the installation go on dropping unsampled spans.
    """
    sampler = provider.sampler
    if not isinstance(sampler, FlightSampler):
        _replace_sampler(provider, sampler, FlightSampler(sampler))


def _unwrap_samplers(provider: TracerProvider) -> None:
    sampler = provider.sampler
    if isinstance(sampler, FlightSampler):
        _replace_sampler(provider, sampler, sampler.root)


def _replace_sampler(provider: TracerProvider, old: Sampler, new: Sampler) -> None:
    provider.sampler = new
    for tracer in tracers_of(provider):
        if tracer.sampler is old:
            tracer.sampler = new
