"""What is known of a cause stands in words, and not as attributes."""

from __future__ import annotations

from otel_flight.incidents.manifest import Cause
from otel_flight.report.model.incident_words import cause_words


def test_a_log_record_is_one_line() -> None:
    """As in a log, with its place; other attributes stand as they are."""
    cause = Cause(
        trigger="log_record",
        reason="log record ERROR",
        attributes={
            "flight_recorder.log.logger": "shop.orders",
            "flight_recorder.log.severity": "ERROR",
            "flight_recorder.log.level": 40,
            "flight_recorder.log.message": "no order 7",
            "code.function.name": "pay",
            "code.file.path": "/srv/shop/orders.py",
            "code.line.number": 5,
            "tenant": "acme",
        },
    )

    assert cause_words(cause) == [
        "ERROR shop.orders: no order 7, in pay (shop/orders.py:5)",
        "tenant=acme",
    ]
