"""For the tests of applications: a recorder of their own, without a network, and a clock.

The fixtures for pytest are in `otel_flight.testing.fixtures`; nothing here needs pytest.
"""

from otel_flight.testing.fake_clock import FakeClock
from otel_flight.testing.flight_recording import FlightRecording, flight_recording

__all__ = ["FakeClock", "FlightRecording", "flight_recording"]
