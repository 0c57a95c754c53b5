"""Ids of the spans that we make ourselves: the same for an incident each time it is sent.

A backend keeps the first copy of a span id, so a chunk that is sent again after a crash does no
harm as long as its ids are the same.
"""

from __future__ import annotations

import hashlib


def derived_trace_id(incident_id: str) -> int:
    """Return the id of the incident's own trace."""
    return _derived(incident_id, "trace", 16)


def derived_span_id(incident_id: str, purpose: str) -> int:
    """Return the id of the span that serves this purpose in the incident."""
    return _derived(incident_id, purpose, 8)


def _derived(incident_id: str, purpose: str, size_bytes: int) -> int:
    digest = hashlib.sha256(f"{incident_id}\0{purpose}".encode()).digest()
    return int.from_bytes(digest[:size_bytes], "big") or 1
