"""Shows that the fixture which guards the global hooks notices each kind of leftover."""

from __future__ import annotations

import gc
import logging
import mmap
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from opentelemetry import context

from otel_flight.ground.native import Thread
from tests.global_hooks import capture_hooks, hook_changes, mapped_files


@contextmanager
def _signal_handler() -> Iterator[None]:
    old = signal.signal(signal.SIGUSR1, lambda *_: None)
    yield
    signal.signal(signal.SIGUSR1, old)


@contextmanager
def _gc_callback() -> Iterator[None]:
    gc.callbacks.append(print)
    yield
    gc.callbacks.remove(print)


@contextmanager
def _excepthook() -> Iterator[None]:
    old, sys.excepthook = sys.excepthook, lambda *_: None
    yield
    sys.excepthook = old


@contextmanager
def _call_handlers() -> Iterator[None]:
    old = logging.Logger.callHandlers
    logging.Logger.callHandlers = lambda *_: None  # type: ignore[method-assign]
    yield
    logging.Logger.callHandlers = old  # type: ignore[method-assign]


@contextmanager
def _current_span() -> Iterator[None]:
    token = context.attach(context.set_value("key", "value"))
    yield
    context.detach(token)


@contextmanager
def _thread() -> Iterator[None]:
    done = threading.Event()
    begun = threading.Event()

    def work() -> None:
        begun.set()
        done.wait()

    thread = Thread(work, "otel-flight-ticker")
    thread.start()
    begun.wait()
    yield
    done.set()
    assert thread.join(10)


@pytest.mark.parametrize(
    ("hook", "leftover"),
    [
        ("signal_handlers", _signal_handler),
        ("gc_callbacks", _gc_callback),
        ("excepthook", _excepthook),
        ("call_handlers", _call_handlers),
        ("otel_context", _current_span),
        ("our_threads", _thread),
    ],
)
def test_a_leftover_is_noticed(
    hook: str, leftover: Callable[[], AbstractContextManager[None]]
) -> None:
    """Each kind of hook is named while it differs, and no other is."""
    before = capture_hooks()

    with leftover():
        during = hook_changes(before, capture_hooks())

    assert [sentence.split()[0] for sentence in during] == [hook]
    assert hook_changes(before, capture_hooks()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_open_ring_is_noticed(tmp_path: Path) -> None:
    """A file is named as long as it is mapped, also after its descriptor is closed."""
    path = tmp_path / "some.ring"
    path.write_bytes(bytes(mmap.PAGESIZE))
    descriptor = os.open(path, os.O_RDWR)
    mapping = mmap.mmap(descriptor, 0)
    os.close(descriptor)

    during = mapped_files(tmp_path)
    mapping.close()

    assert during == [str(path)]
    assert mapped_files(tmp_path) == []
