"""Trace and span ids as they are written in files, in attributes and on screens."""

from __future__ import annotations

from typing import Final

_LOW_128: Final = (1 << 128) - 1
_LOW_64: Final = (1 << 64) - 1


def trace_text(trace_id: int) -> str:
    """Return a trace id as 32 hexadecimal digits; empty for 0, which stands for no trace."""
    return f"{trace_id & _LOW_128:032x}" if trace_id else ""


def span_text(span_id: int) -> str:
    """Return a span id as 16 hexadecimal digits; empty for 0, which stands for no span."""
    return f"{span_id & _LOW_64:016x}" if span_id else ""


def id_of(text: str) -> int:
    """Return the id that hexadecimal digits stand for; 0 for an empty text."""
    return int(text, 16) if text else 0
