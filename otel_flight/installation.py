"""How the recorder gets into tracer providers, and out of them again."""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler

from otel_flight.flight_processor import FlightSpanProcessor
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.native import allocate_reentrant_lock
from otel_flight.interpreter.sdk.pipeline import (
    pipeline_of,
    processors_in,
    remove_processors,
    tracers_of,
)
from otel_flight.recorder import FlightRecorder
from otel_flight.recording.light.adoption import Adoption
from otel_flight.recording.pipeline_shield import PipelineShield, shield_for
from otel_flight.recording.sampler import FlightSampler
from otel_flight.settings.asked import AskedSettings
from otel_flight.settings.fields import CoreSettings
from otel_flight.settings.sources import SettingsInForce, warn_once

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from otel_flight.assembly import Settings

_logger = logging.getLogger("otel_flight")
_MOST_WRAPPERS: Final = 8
"""At most this many providers around the SDK's are looked into."""


class _Installation(NamedTuple):
    """What was installed in one provider."""

    provider: TracerProvider
    processor: FlightSpanProcessor
    shield: PipelineShield | None
    adoption: Adoption | None


_install_lock = allocate_reentrant_lock()  # guards _installed and _installations
_installed: FlightRecorder | None = None
_installations: list[_Installation] = []


def install(
    settings: Settings | None = None,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    exporter: SpanExporter | None = None,
    **overrides: Any,
) -> FlightRecorder:
    """Install a recorder in a tracer provider: span processor, sampler, triggers.

    A process has one: called again, also for another provider, it returns the same recorder, which
    keeps its settings; if others are asked for, one warning says so.

    Args:
        settings: complete settings, for which the environment is not read.
        tracer_provider: None: the global one. One that wraps the SDK's, as its `provider`, will do.
        exporter: what the spans of incidents are sent through, see `FlightRecorder`; None: what the
            settings choose.
        **overrides: single settings by their field names.

    Returns:
        The recorder. It records nothing, and its methods do nothing, when it is disabled, by the
        setting `enabled` or `OTEL_SDK_DISABLED`, or when the provider is not the SDK's, for which
        one warning says what is missing.

    Raises:
        InvalidSetting: an argument has a value its setting cannot have.
        UnknownSetting: there is no setting of that name.
    """
    asked = AskedSettings(settings, overrides)
    return install_with(asked, tracer_provider or trace.get_tracer_provider(), exporter)


def install_with(
    settings: SettingsInForce[Settings] | AskedSettings,
    provider: Any,
    exporter: SpanExporter | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> FlightRecorder:
    """Install with settings that were found already, or are to be found; see `install`."""
    global _installed
    core = _core_of(settings)
    provider = _unwrapped(provider)
    if is_sdk_disabled():
        return _inert(settings)
    if not isinstance(provider, TracerProvider):
        _logger.warning(
            "otel-flight records nothing: the tracer provider is %s, not the SDK's. Install "
            "opentelemetry-sdk and set a TracerProvider first (opentelemetry-instrument does, when "
            "opentelemetry-distro is installed).",
            f"{type(provider).__module__}.{type(provider).__qualname__}",
        )
        return _inert(settings)
    with _install_lock:
        known = _recorder_of(provider)
        if known is None and _installed is not None and _installed.enabled:
            known = _installed
            _install_in(provider, known)
        if known is not None:
            _warn_of_others(settings, known)
            return known
        if not core.enabled:
            return _inert(settings)
        service_name = str(provider.resource.attributes.get("service.name", ""))
        _installed = FlightRecorder(
            settings, service_name=service_name, exporter=exporter, clock=clock
        )
        _install_in(provider, _installed)
        return _installed


def is_sdk_disabled() -> bool:
    """Return whether `OTEL_SDK_DISABLED` asks for no telemetry at all."""
    return os.environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true"


def get_recorder() -> FlightRecorder | None:
    """Return the recorder that `install` installed, None when there is none."""
    return _installed


def uninstall() -> None:
    """Stop the installed recorder; remove its span processors and restore samplers."""
    global _installed
    with _install_lock:
        recorder, _installed = _installed, None
        installations = list(_installations)
        _installations.clear()
    if recorder is not None:
        recorder.stop()
    ours = {installation.processor for installation in installations}
    for provider, _, shield, adoption in installations:
        if adoption is not None:
            adoption.end()
        _unwrap_samplers(provider)
        if shield is not None:
            shield.remove()
        remove_processors(pipeline_of(provider), lambda each: each in ours)


def _install_in(provider: TracerProvider, recorder: FlightRecorder) -> None:
    processor = FlightSpanProcessor(recorder)
    provider.add_span_processor(processor)
    sampler = _wrap_samplers(provider)
    adoption = None
    shield = shield_for(pipeline_of(provider), processor, sampler)
    if shield is not None:
        shield.install()
        core = recorder.core_settings
        if core.light_spans != "off":
            is_compiled = core.compiled and core.light_spans == "auto"
            adoption = Adoption(provider, processor, sampler)
            adoption.begin(is_compiled=is_compiled)
    _installations.append(_Installation(provider, processor, shield, adoption))


def _core_of(settings: SettingsInForce[Settings] | AskedSettings) -> CoreSettings:
    """Return the settings that every recorder has; what is wrong with arguments is raised."""
    if isinstance(settings, SettingsInForce):
        return settings.settings
    core = settings.find_core()
    return FlightRecorder(settings).settings if core is None else core.settings


def _inert(settings: SettingsInForce[Settings] | AskedSettings) -> FlightRecorder:
    """Return a recorder that nothing reaches: what a program does with it does nothing."""
    if isinstance(settings, AskedSettings):
        return FlightRecorder(settings.but(enabled=False, metrics=False))
    changed = dataclasses.replace(settings.settings, enabled=False, metrics=False)
    return FlightRecorder(dataclasses.replace(settings, settings=changed, problems=()))


def _unwrapped(provider: Any) -> Any:
    """Return the SDK's provider inside others, as far as they have it as their `provider`."""
    inner = provider
    for _ in range(_MOST_WRAPPERS):
        if inner is None or isinstance(inner, TracerProvider):
            break
        inner = getattr(inner, "provider", None)
    return provider if inner is None else inner


def _warn_of_others(
    settings: SettingsInForce[Settings] | AskedSettings, known: FlightRecorder
) -> None:
    """Say which settings of a further call have no effect."""
    if known.is_asked_for_by(settings):
        return
    is_found = isinstance(settings, SettingsInForce)
    asked = settings.settings if is_found else FlightRecorder(settings).settings
    in_force = known.settings
    names = [
        field.name
        for field in dataclasses.fields(in_force)
        if getattr(asked, field.name, None) != getattr(in_force, field.name)
    ]
    if names:
        warn_once(
            [
                "the recorder is installed already, and keeps its settings; ignored are: "
                + ", ".join(names)
            ]
        )


def _recorder_of(provider: TracerProvider) -> FlightRecorder | None:
    for installation in _installations:
        if installation.provider is provider and installation.processor.recorder.enabled:
            return installation.processor.recorder
    for processor in processors_in(pipeline_of(provider)):
        if isinstance(processor, FlightSpanProcessor):
            return processor.recorder
    return None


def _wrap_samplers(provider: TracerProvider) -> FlightSampler:
    """Wrap the provider's sampler and those of the tracers it has made already; return the wrapper.

    A tracer keeps the sampler it was made with. SDKs before 1.39 do not remember their tracers:
    there, tracers made before the installation go on dropping unsampled spans.
    """
    sampler = provider.sampler
    if isinstance(sampler, FlightSampler):
        return sampler
    wrapper = FlightSampler(sampler)
    _replace_sampler(provider, sampler, wrapper)
    return wrapper


def _unwrap_samplers(provider: TracerProvider) -> None:
    sampler = provider.sampler
    if isinstance(sampler, FlightSampler):
        _replace_sampler(provider, sampler, sampler.root)


def _replace_sampler(provider: TracerProvider, old: Sampler, new: Sampler) -> None:
    provider.sampler = new
    for tracer in tracers_of(provider):
        if tracer.sampler is old:
            tracer.sampler = new
