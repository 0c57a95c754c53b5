"""The service of Flask on the server of eventlet, which is patched after everything else.

python eventlet_server.py PORT
"""

from __future__ import annotations

import sys

import eventlet
import eventlet.wsgi

eventlet.monkey_patch()

from flask_app import app  # noqa: E402


def main(port: str) -> None:
    """Serve until something ends the process."""
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(port))), app)


if __name__ == "__main__":
    main(*sys.argv[1:])
