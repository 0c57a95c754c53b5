"""One fault for each path of the programs, and what its first finding has to name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.faults.fault_run import Fault
from tests.faults.unforeseen.everyday import EVERYDAY
from tests.faults.unforeseen.scenario import Scenario, failing, greenlets, loop, threads

LONG_SUM: Final = Fault(
    program="threads_at_work", server="gunicorn", requests=("/invoice",), trigger="slow_root"
)
BACK_OFF: Final = Fault(
    program="threads_at_work", server="gunicorn", requests=("/pay",), trigger="slow_root"
)
ONE_TENANT: Final = Fault(
    program="threads_at_work",
    server="gunicorn",
    warm_up=("/ok", *("/search/bolt", "/search/coil", "/search/dune") * 8),
    requests=("/search/acme",) * 3,
    trigger="slow_root",
)
ONE_FOR_ALL: Final = Fault(
    program="loop_at_work",
    warm_up=("/ok", *("/lookup",) * 8),
    requests=("/lookup", "/lookup", "/lookup", "/lookup", "/settings"),
    trigger="slow_root",
    environment={"OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET /settings=off"},
)
COLD_START: Final = Fault(
    program="threads_in_trouble",
    server="gunicorn",
    requests=("/page",) * 10,
    apart_seconds=0.4,
    trigger="slow_root",
    environment={
        "OTEL_FLIGHT_SLOW_ROOT": "100ms",
        "OTEL_FLIGHT_STACKS_AFTER": "100ms",
        "OTEL_FLIGHT_TAIL": "5s",
    },
)
LARGE_EXPORT: Final = Fault(
    program="threads_waiting",
    server="gunicorn",
    warm_up=("/ok", *("/export/80", "/export/95") * 8),
    requests=("/export/4000000",),
    trigger="slow_root",
)
MANY_THINGS: Final = Fault(
    program="careless_reach", server="gunicorn", requests=("/checkout",), trigger="slow_root"
)


def _waiting(path: str, *named: str) -> Scenario:
    return threads(path, *named, program="threads_waiting")


def _trouble(path: str, *named: str) -> Scenario:
    return threads(path, *named, program="threads_in_trouble")


def _on_loop(path: str, *named: str) -> Scenario:
    return loop(path, *named, program="loop_in_trouble")


def _code(path: str, *named: str) -> Scenario:
    return threads(path, *named, program="careless_code")


def _sharing(path: str, *named: str, before: Sequence[str] = (), quiet: str = "") -> Scenario:
    return threads(path, *named, before=before, quiet=quiet, program="careless_sharing")


def _reach(path: str, *named: str) -> Scenario:
    return threads(path, *named, program="careless_reach")


def _tasks(path: str, *named: str, before: Sequence[str] = (), quiet: str = "") -> Scenario:
    return loop(path, *named, before=before, quiet=quiet, program="careless_tasks")


def _busy_loop(path: str, *named: str, before: Sequence[str] = (), quiet: str = "") -> Scenario:
    return loop(path, *named, before=before, quiet=quiet, program="careless_loop")


SCENARIOS: Final = (
    threads("/report", "burn", "render_rows"),
    Scenario(LONG_SUM, ("burn", "total_up")),
    threads("/priced", "burn", "total_up"),
    Scenario(BACK_OFF, ("back_off",)),
    Scenario(ONE_TENANT, ("search (",)),
    threads("/transfer", "ask_bank"),
    threads("/picture", "convert"),
    threads("/mail", "read_mail"),
    threads("/plugin", "slow_plugin"),
    threads("/ticket", "next_ticket"),
    threads("/thumbnail", "resize", "thumbnail"),
    threads("/approve", "wait_for_approval"),
    threads("/backup", "lock_file"),
    threads("/order", "write_order"),
    threads("/dump", "encode", "dump ("),
    threads("/audit", "SlowHandler.emit", "emit ("),
    threads("/rates", "read_rates", before=("/rates", "/rates")),
    threads("/quick", "match_badly"),
    _waiting("/drawn", "draw_all"),
    _waiting("/sketch", "draw_all"),
    _waiting("/all", "draw_all"),
    _waiting("/stock", "held by process"),
    _waiting("/order", "database lock"),
    _waiting("/audit", "pipe"),
    _waiting("/mail", "send_mails"),
    _waiting("/prices", "reload_prices"),
    _waiting("/balance", "time limit"),
    _waiting("/greeting", "TLS handshake"),
    _waiting("/archive", "send_archive"),
    Scenario(LARGE_EXPORT, ("render_orders",)),
    loop("/poll", "poll_status"),
    loop("/take", "count_stock", before=("/count",), quiet="GET /count=off"),
    loop("/events", "next_event"),
    loop("/guess", "ask_stock", "guess ("),
    loop("/approve", "wait_for_manager"),
    loop("/gather", "fetch", "gather ("),
    loop("/slot", "use_slot", before=("/hold",), quiet="GET /hold=off"),
    loop("/picture", "convert"),
    loop("/settings", "read_settings"),
    Scenario(ONE_FOR_ALL, ("read_settings",)),
    loop("/proxy", "read_upstream"),
    loop("/page", "make_page"),
    _trouble("/secret", "check_ticket"),
    _trouble("/sum", "add_parts"),
    _trouble("/leak", "count_orders"),
    _trouble("/best", "score"),
    _trouble("/pay", "ask_bank"),
    _trouble("/catalogue", "snapshot"),
    _trouble("/squares", "squares"),
    _trouble("/note", "Uploader.emit", "emit ("),
    _trouble("/pair", "wait_for_both"),
    Scenario(COLD_START, ("compile_page",)),
    _on_loop("/quote", "quote (", "in `quote"),
    _on_loop("/rate", "in `rate"),
    _on_loop("/offer", "in `offer"),
    _on_loop("/profile", "current_user"),
    _on_loop("/tape", "read_tape"),
    _on_loop("/hop", "crunch"),
    _on_loop("/resize", "compact"),
    _on_loop("/park", "wait_for_room"),
    loop("/lines", "rows (", quiet="GET /lines=250ms", program="loop_in_trouble"),
    _on_loop("/stock", "fetch_stock"),
    _on_loop("/rates", "ask_rates"),
    _code("/leased", "Lease.__del__"),
    _code("/merged", "merge_numbers"),
    _code("/rates", "ask_rates"),
    _code("/flags", "is_on"),
    _code("/placed", "place_order"),
    _code("/notified", "notify_all"),
    _code("/files", "Handle.__del__"),
    _code("/customers", "count_orders", "SELECT"),
    _code("/callers", "name_caller"),
    _sharing("/ranking", "rank_all", before=("/ranking",) * 7),
    _sharing("/label", "print_label", before=("/print", "/print"), quiet="GET /print=off"),
    _sharing("/left", "move", before=("/right",)),
    _sharing("/limited", "Limiter.pass_one", before=("/limited",) * 5),
    _sharing("/sum", "rebuild_index"),
    _sharing("/tariffs", "load_tariffs", before=("/load",), quiet="GET /load=off"),
    _sharing("/words", "count_words"),
    _sharing("/menu", "refresh_menu"),
    _sharing("/feed", "parse_feed"),
    _reach("/rows", "save_rows"),
    _reach("/any", "connect_to_any"),
    _reach("/pages", "fetch_page"),
    _reach("/shards", "ask_shards"),
    Scenario(MANY_THINGS, ("check_out",)),
    _reach("/found", "find_order"),
    _reach("/tool", "run_tool"),
    Scenario(
        Fault(program="careless_tasks", requests=("/order",), trigger="error_span"),
        ("charge_card", "the card has expired"),
    ),
    _tasks("/shipped", "ship_parcels"),
    Scenario(
        Fault(
            program="careless_tasks",
            arguments=("--loop", "asyncio"),
            requests=("/connected",),
            trigger="slow_root",
        ),
        ("scan_disk",),
    ),
    _tasks("/notified", "notify_one", "notified ("),
    _tasks("/feed", "push_feed"),
    _tasks("/catalogue", "TypeAdapter", "serialize", "jsonable"),
    _tasks("/parcels", "pack_parcels", "add_parcel"),
    _tasks("/booked", "roll_back"),
    _tasks("/price", "load_prices", before=("/load",), quiet="GET /load=off"),
    _tasks("/balance", "ask_bank"),
    _tasks("/rate", "from the pool of"),
    _tasks("/settings", "reload_settings"),
    _tasks("/uploaded", "Upload.__aexit__"),
    _busy_loop("/orders", "run_query", before=("/history",), quiet="GET /history=off"),
    _busy_loop("/pushed", "push_events"),
    _busy_loop("/ticks", "on_tick", "while `ticks"),
    _busy_loop("/logged", "Basket.__str__"),
    greenlets("/rows", "render_rows"),
    greenlets("/quick", "render_rows", after=("/rows",), quiet="GET /rows=off"),
    greenlets("/stock", "count_stock", before=("/count",), quiet="GET /count=off"),
    greenlets("/picture", "picture ("),
    greenlets("/parcels", "add_parcel", "ship_parcels"),
    failing("/priced", "in price_item"),
    failing("/parsed", "BrokenProcessPool"),
    failing("/sessions", "in list_sessions"),
    failing("/rates", "in read_rates"),
    failing("/total", "in total_of"),
    failing("/resized", "in resize"),
    failing("/signed", "in sign_answer"),
    failing("/page", "in render_rows"),
    failing("/saved", "save_customer"),
    failing("/asked", "in ask_one"),
    *EVERYDAY,
)
