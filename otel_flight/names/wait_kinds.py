"""What a request waits for, in a word: values of the attribute `flight_recorder.wait.kind`.

Those are here that something looks for; sources write some more.
"""

from __future__ import annotations

from typing import Final

LOCK: Final = "lock"
SEMAPHORE: Final = "semaphore"
CONNECTION_POOL: Final = "connection pool"
THREAD_POOL: Final = "thread pool"
EVENT: Final = "event"
CONDITION: Final = "condition"
BARRIER: Final = "barrier"
FUTURE: Final = "future"
QUEUE: Final = "queue"
TASK: Final = "task"
THREAD: Final = "thread"
TURN_OF_LOOP: Final = "turn of the event loop"
SLEEP: Final = "sleep"
NETWORK: Final = "network"
IMPORT: Final = "import"
PROCESS: Final = "process"
FILE: Final = "file"
FILE_LOCK: Final = "file lock"
DATABASE_LOCK: Final = "database lock"
PIPE: Final = "pipe"
