"""A worker of rq on the Redis of the test."""

from __future__ import annotations

import os

from redis import Redis
from rq import Worker

Worker(["default"], connection=Redis.from_url(os.environ["REDIS"])).work()
