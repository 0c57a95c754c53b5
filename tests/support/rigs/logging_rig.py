"""A recording rig that also records what a logger of its own logs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from otel_flight.sources.base import Surroundings
from otel_flight.sources.log_records import SOURCE
from tests.support.rigs.recording_rig import RecordingRig


class LoggingRig(RecordingRig):
    """Spans of `tracer` and records of `logger` go into the ring.

    Args:
        directory: where the ring's file goes.
        **settings: as `Settings` takes them.

    Attributes:
        logger: its records reach no handler.
    """

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.collect_ended()
        surroundings = Surroundings(
            settings=self.settings,
            events=self.session.runtime,
            open_spans=self.session.open_spans,
            guard=self.guard,
        )
        source = SOURCE.build(self.settings, surroundings)
        assert source is not None
        self._source = source
        self._source.start()
        root = logging.RootLogger(logging.DEBUG)
        root.addHandler(logging.NullHandler())
        self.logger = logging.Manager(root).getLogger("shop.orders")

    def close(self) -> None:
        """See no more records, and remove the ring; nothing may have been swallowed."""
        self._source.stop()
        super().close()
        assert self.guard.errors() == ()
