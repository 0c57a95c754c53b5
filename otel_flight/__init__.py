"""otel-flight: an OpenTelemetry flight recorder for Python services.

All spans and the runtime's own events go into a bounded window in memory and are thrown away,
until something goes wrong: then the whole window before it is delivered as one incident.

PYTEST_DONT_REWRITE: it is often imported before pytest begins, which would warn of that.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from otel_flight.errors import FlightError
from otel_flight.flight_processor import FlightSpanProcessor
from otel_flight.installation import get_recorder, install, uninstall
from otel_flight.recorder import FlightRecorder
from otel_flight.recording.sampler import FlightSampler

if TYPE_CHECKING:
    from otel_flight.assembly import Settings
    from otel_flight.incidents.incident import Incident
    from otel_flight.incidents.manifest import (
        Cause,
        Coverage,
        Explanation,
        Finding,
        Losses,
        Manifest,
    )
    from otel_flight.incidents.window import Window, WindowEvent, WindowSpan
    from otel_flight.running.statistics import Statistics

try:
    from otel_flight._version import __version__
except ImportError:  # a source tree that was never built
    __version__ = "0+unknown"

__all__ = [
    "Cause",
    "Coverage",
    "Explanation",
    "Finding",
    "FlightError",
    "FlightRecorder",
    "FlightSampler",
    "FlightSpanProcessor",
    "Incident",
    "Losses",
    "Manifest",
    "Settings",
    "Statistics",
    "Window",
    "WindowEvent",
    "WindowSpan",
    "__version__",
    "get_recorder",
    "install",
    "uninstall",
]

_IMPORTED_WHEN_ASKED_FOR = {
    "assembly": ("Settings",),
    "incidents.incident": ("Incident",),
    "incidents.manifest": ("Cause", "Coverage", "Explanation", "Finding", "Losses", "Manifest"),
    "incidents.window": ("Window", "WindowEvent", "WindowSpan"),
    "running.statistics": ("Statistics",),
}
"""A program that only installs the recorder starts without these names and all that they need."""


if not TYPE_CHECKING:  # for a type checker the names are here, and no others

    def __getattr__(name: str) -> object:
        for module, names in _IMPORTED_WHEN_ASKED_FOR.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
