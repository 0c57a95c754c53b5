"""otel-flight: an OpenTelemetry flight recorder for Python services.

All spans and the runtime's own events go into a bounded window in memory and are thrown away,
until something goes wrong: then the whole window before it is delivered as one incident.
"""

from otel_flight.assembly import FlightRecorder, FlightSpanProcessor
from otel_flight.errors import FlightError
from otel_flight.installation import get_recorder, install, uninstall
from otel_flight.recording.sampler import FlightSampler
from otel_flight.settings.fields import Settings
from otel_flight.statistics import Statistics

__version__ = "0.1.0"

__all__ = [
    "FlightError",
    "FlightRecorder",
    "FlightSampler",
    "FlightSpanProcessor",
    "Settings",
    "Statistics",
    "get_recorder",
    "install",
    "uninstall",
]
