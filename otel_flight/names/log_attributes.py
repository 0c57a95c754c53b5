"""The names of attributes that the events of log records have."""

from __future__ import annotations

from typing import Final

LOGGER: Final = "flight_recorder.log.logger"
LEVEL: Final = "flight_recorder.log.level"
"""It is the level as a number of the `logging` module."""
SEVERITY: Final = "flight_recorder.log.severity"
"""It is the name of the level."""
MESSAGE: Final = "flight_recorder.log.message"
LEFT_OUT: Final = "flight_recorder.log.left_out"
"""It says how many records there was no room for since the last event that says so."""
