"""Faults of every day: those that one finds in the review of any service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.faults.fault_run import Fault
from tests.faults.unforeseen.scenario import Scenario, failing, greenlets, loop, threads


def _habit(path: str, *named: str, before: Sequence[str] = ()) -> Scenario:
    return threads(path, *named, before=before, program="careless_habits")


def _client(path: str, *named: str, before: Sequence[str] = (), quiet: str = "") -> Scenario:
    return threads(path, *named, before=before, quiet=quiet, program="careless_clients")


def _async(path: str, *named: str, before: Sequence[str] = (), quiet: str = "") -> Scenario:
    return loop(path, *named, before=before, quiet=quiet, program="careless_async")


EVERYDAY: Final = (
    _habit("/customers", "show_customers", "SELECT"),
    _habit("/dumped", "dumps", "make_response"),
    _habit("/matched", "match_price"),
    _habit("/table", "apply_rows", "with_total"),
    _habit("/parts", "store_parts"),
    _habit("/delivery", "wait_for_stock"),
    _habit("/rent/any", "in `rent (", before=("/rent/broken", "/rent/broken")),
    _habit("/logged", "log_rows"),
    _habit("/packed", "pack_page"),
    _habit("/prices", "price_one", "gather_prices"),
    _client("/account", "refresh_token", before=("/refresh",), quiet="GET /refresh=off"),
    _client("/items", "list_items"),
    _client("/converted", "convert_all"),
    _client("/stock", "ask_stock"),
    failing("/quote", "in fetch_quote", "in `fetch_quote", program="careless_clients"),
    failing("/greeting", "in greet_user", program="careless_clients"),
    _async("/resolved", "resolve ("),
    _async("/profile", "current_user"),
    _async("/fetched", "fetch_one", "fetch_all"),
    _async("/waited", "poll_inbox"),
    _async("/counted", "count_all"),
    _async("/bought", "send_receipt", before=("/quick",)),
    Scenario(
        Fault(program="careless_async", requests=("/ordered",), trigger="error_span"),
        ("in send_invoice",),
    ),
    _async("/drawn", "draw_chunks", quiet="GET /drawn=250ms"),
    _async("/account", "refresh_token", before=("/refresh",), quiet="GET /refresh=off"),
    _async("/bridged", "look_up", "bridge"),
    greenlets("/quick", "scan_orders", after=("/scanned",), quiet="GET /scanned=off"),
)
