"""Time limits that a database, a server or a client names in its error."""

from __future__ import annotations

import re
from typing import Final

from otel_flight.incidents.evidence.failures.raised import raised
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import span_attributes

_LIMITS: Final = tuple(
    (re.compile(pattern, re.MULTILINE), words)
    for pattern, words in (
        (r"QueryCanceled.*statement timeout|^57014 (?!.*user request)", "`statement_timeout`"),
        (r"LockNotAvailable.*lock timeout", "`lock_timeout`"),
        (
            r"IdleInTransactionSessionTimeout|^25P03 |idle-in-transaction timeout",
            "`idle_in_transaction_session_timeout`",
        ),
        (r"TransactionTimeout(?:Error)?\b|^25P04 ", "`transaction_timeout`"),
        (r"\b3024\b.*maximum statement execution time|^3024 ", "`max_execution_time`"),
        (r"\b1969\b.*max_statement_time|^1969 ", "`max_statement_time`"),
        (
            r"\b1205\b.*Lock wait timeout|^1205 ",
            "`innodb_lock_wait_timeout` or `lock_wait_timeout`",
        ),
        (r"\b2013\b.*\(timed out\)", "the client's `read_timeout`"),
        (r"database (?:table )?is locked", "SQLite's busy timeout"),
        (r"ExecutionTimeout|MaxTimeMSExpired", "`maxTimeMS`"),
        (r"DEADLINE_EXCEEDED|^4 .*Deadline Exceeded", "the call's deadline"),
        (r"\((?:read|connect) timeout=([\d.]+)\)", "the client's of {}s"),
        (r"QueuePool limit .* timeout ([\d.]+)", "the pool's of {}s"),
        (
            r"^(?:\S* )?\S*\b(?:Read|Write|Connect\w*|Pool|Server|Sock\w*)Timeout(?:Error)?:",
            "the client's",
        ),
        (r"Timeout (?:reading from|connecting to) ", "the client's"),
    )
)
"""What an error says begins, as here, with the code of a database or of gRPC, if there is one, the
type of the exception and a colon."""


def limit_named_in(span: WindowSpan) -> str:
    """Return which limit the failure of a span names; empty: none."""
    exception, attributes = raised(span), span.record.attributes
    said = span.record.status_description or ""
    if exception is not None:
        said = f"{exception.type}: {exception.message}"
    elif span_attributes.ERROR_TYPE in attributes:
        said = f"{attributes[span_attributes.ERROR_TYPE]}: {said}"
    codes = (span_attributes.DATABASE_STATUS_CODE, span_attributes.GRPC_STATUS_CODE)
    code = next((attributes[each] for each in codes if each in attributes), "")
    return limit_named_by(f"{code} {said}")


def limit_named_by(said: str) -> str:
    """Return which limit a text names, that of an error or of a traceback; empty: none."""
    for pattern, words in _LIMITS:
        match = pattern.search(said)
        if match is not None:
            return words.format(*match.groups())
    return ""
