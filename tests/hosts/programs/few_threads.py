"""A program that is run with a limit that allows it no thread."""

from __future__ import annotations

import os
import threading
import time

from opentelemetry import trace

tracer = trace.get_tracer("few threads")


def main() -> None:
    """Work, see that there is no thread to be had, and fail."""
    for number in range(20):
        with tracer.start_as_current_span("work", attributes={"number": number}):
            time.sleep(0.005)
    try:
        threading.Thread(target=print).start()
    except RuntimeError as error:
        print(f"no thread: {error}")
    try:
        with tracer.start_as_current_span("fail"):
            raise KeyError("pear")
    except KeyError as error:
        print(f"failed: {error}")
    print(f"user {os.getuid()} is done")


if __name__ == "__main__":
    main()
