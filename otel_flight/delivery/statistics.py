"""What the delivery of one signal has done so far, as a value that any thread may read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeliveryStatistics:
    """What was delivered.

    Attributes:
        delivered_incidents: handed over completely.
        delivered_spans: handed over, those of unfinished deliveries included.
        failed_attempts: deliveries of an incident that failed; it is tried again.
        pending_incidents: in the spool and not delivered, when last looked at.
        resent_chunks: requests sent again, as it is not known whether they had arrived.
        undeliverable_spans: of delivered incidents, the spans that the backend does not take.
        last_error: why the last attempt failed; empty when it did not.
    """

    delivered_incidents: int = 0
    delivered_spans: int = 0
    failed_attempts: int = 0
    pending_incidents: int = 0
    resent_chunks: int = 0
    undeliverable_spans: int = 0
    last_error: str = ""
