"""What real instrumentations record of ordinary and of faulty things, and which of it fires."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

for each in ("django", "grpc", "httpx", "requests"):
    pytest.importorskip(f"opentelemetry.instrumentation.{each}")
    pytest.importorskip(each)

ROOT = Path(__file__).parents[3]
ORDINARY = frozenset(
    {
        "cancelled",
        "client_404",
        "client_404_in_job",
        "django_refuses",
        "grpc_refuses",
        "logged_without_request",
    }
)
"""These cases fire nothing."""
_HANDLER = "error span /shop.Shop/Get"


def test_errors_fire_and_expected_outcomes_do_not() -> None:
    """By HTTP and gRPC conventions, and however the instrumentation says what happened."""
    printed = subprocess.run(
        [sys.executable, "-m", "tests.integration.recording.programs.outcomes"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    titles: defaultdict[str, list[str]] = defaultdict(list)
    for line in printed.splitlines():
        case, _, title = line.partition("\t")
        titles[case].append(title)
    assert ORDINARY.isdisjoint(titles)
    assert titles == {
        "client_503_survived": ["error span job (in GET)", "error span job (in HEAD)"],
        "client_503_fatal": ["error span job"],
        "logged_and_survived": ["log record ERROR shop"],
        "failed_and_logged": ["error span job (in load)"],
        "django_fails": ["error span GET 500"],
        "django_gives_500": ["error span GET given"],
        "grpc_fails": [_HANDLER, "error span ask (in /shop.Shop/Get)"],
        "grpc_fails_barely": [_HANDLER, "error span ask (in /shop.Shop/Get)"],
        "grpc_aio_fails": [_HANDLER, _HANDLER],
        "grpc_aio_says_internal": [_HANDLER, _HANDLER],
    }
