"""Ask a WebSocket some things, and print what it answered.

python socket_client.py URL
"""

from __future__ import annotations

import json
import sys
import time

from websockets.sync.client import connect


def main(url: str) -> None:
    """Send messages over three connections, one after the other."""
    for number in range(3):
        began = time.monotonic()
        with connect(url) as socket:
            answers = []
            for text in ("apple", "pear", "Äpfel" * 100):
                socket.send(text)
                answers.append(socket.recv())
        seconds = time.monotonic() - began
        what = f"connection {number}"
        print(json.dumps({"what": what, "answer": answers, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
