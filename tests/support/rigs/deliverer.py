"""What a process delivers its spool with, without the rest of a recorder."""

from __future__ import annotations

from collections.abc import Callable

from otel_flight.assembly import Settings
from otel_flight.delivery.delivery import Delivery
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.receiver.signals import LOGS, PROFILES
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.guard import Guard
from otel_flight.incidents.spool.spool import Spool
from otel_flight.settings.fields import CoreSettings
from otel_flight.worker.worker import Worker


class Deliverer:
    """The deliveries of all signals, and the worker that runs them, as a recorder has them."""

    def __init__(
        self,
        spool: Spool,
        settings: Settings,
        guard: Guard | None = None,
        *,
        exporter: Exporter | None = None,
        build: Callable[[CoreSettings, float | None], Exporter] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        guard = guard or Guard()
        pacer = Pacer(settings.flush_cpu_share)
        self.spans = Delivery(
            spool, settings, guard, pacer, exporter=exporter, build=build, backoff=backoff
        )
        self.logs = Delivery(spool, settings, guard, pacer, signal=LOGS)
        self.profiles = Delivery(spool, settings, guard, pacer, signal=PROFILES)
        self.worker = Worker((self.spans, self.logs, self.profiles), guard, pacer)
