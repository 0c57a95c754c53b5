"""Ask a WebSocket some things, and print what it answered.

python socket_client.py URL [SECONDS]
"""

from __future__ import annotations

import json
import sys
import time

from websockets.sync.client import connect


def main(url: str, seconds_between: str = "0") -> None:
    """Send messages over three connections, one after the other, or over one that lasts."""
    wait_seconds = float(seconds_between)
    for number in range(1 if wait_seconds else 3):
        began = time.monotonic()
        with connect(url) as socket:
            answers = []
            for text in ("apple", "pear", "Äpfel" * 100):
                time.sleep(wait_seconds)
                socket.send(text)
                answers.append(socket.recv())
        seconds = time.monotonic() - began
        what = f"connection {number}"
        print(json.dumps({"what": what, "answer": answers, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
