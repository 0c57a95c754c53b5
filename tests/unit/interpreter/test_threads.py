"""Threads are found without a lock that a dead thread may hold for ever."""

from __future__ import annotations

import threading

from otel_flight.interpreter.threads import alive_threads, thread_with


def test_a_thread_is_found_while_it_runs() -> None:
    """By its id, and among all of them, also while somebody holds the lock of `threading`."""
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    ident = thread.ident
    assert ident is not None
    try:
        with threading._active_limbo_lock:  # type: ignore[attr-defined]
            found, alive = thread_with(ident), alive_threads()
    finally:
        release.set()
        thread.join()

    assert found is thread
    assert {thread, threading.current_thread()} <= set(alive)
    assert thread_with(ident) is None
