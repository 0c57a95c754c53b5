"""Requests to a service, of which only the status matters."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request


def status_of(url: str, method: str = "GET") -> int:
    """Return the status of the answer, errors included."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as response:
            assert isinstance(response, http.client.HTTPResponse)
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
