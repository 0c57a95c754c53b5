"""Send jobs to a worker of rq, one after the other, and print what came of them.

python rq_client.py JOB...
"""

from __future__ import annotations

import json
import os
import sys
import time

from redis import Redis
from rq import Queue

SECONDS = 30


def main(*jobs: str) -> None:
    """Send each job when the one before is done."""
    queue = Queue(connection=Redis.from_url(os.environ["REDIS"]))
    for job in jobs:
        began = time.monotonic()
        result = queue.enqueue(job).latest_result(timeout=SECONDS)
        failure = (result.exc_string or "").strip().rpartition("\n")[2]
        answer = failure or result.return_value
        seconds = time.monotonic() - began
        print(json.dumps({"what": job, "answer": answer, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
