"""Posts a notification to a server. Imported late, as only who does so needs `requests`."""

from __future__ import annotations

from typing import Final

import requests

from otel_flight.delivery.receiver.attempt import suppressed_instrumentation
from otel_flight.delivery.receiver.http_bounds import bound_answers
from otel_flight.ground.deadline import Deadline
from otel_flight.notification.not_sent import NotSent

_LEAST_SECONDS: Final = 0.1
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "otel-flight"}


def post(url: str, body: bytes, deadline: Deadline) -> None:
    """Post a body. A redirection is not followed, and an answer is bounded in bytes and time.

    Raises:
        NotSent: the server did not take it.
    """
    try:
        with suppressed_instrumentation(), requests.Session() as session:
            bound_answers(session)
            answer = session.post(
                url,
                data=body,
                headers=_HEADERS,
                timeout=max(_LEAST_SECONDS, deadline.seconds_left),
                allow_redirects=False,
            )
    except (requests.RequestException, OSError) as error:
        # Not its message: the path of a chat server's URL is its password.
        raise NotSent(f"it cannot be reached ({type(error).__name__})") from error
    status = answer.status_code
    if not requests.codes.ok <= status < requests.codes.multiple_choices:
        is_final = status < requests.codes.server_error and status not in _TRY_AGAIN
        raise NotSent(f"it answers {status}", is_final=is_final)
