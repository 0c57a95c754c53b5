"""What a process says of itself in its ring's header, for whoever looks from outside."""

from __future__ import annotations

from typing import Final

SERVICE: Final = "service"
"""This fact is the service's name, as far as the process knows it."""
SPOOL: Final = "spool"
"""This fact is the directory in which the process keeps its incidents."""
PIPELINE: Final = "pipeline"
"""This fact is where another span processor of the process has sent all its sampled spans, for as
long as two windows; it is empty when that is not sure."""
SPOOL_PROBLEM: Final = "spool_problem"
"""This fact says what is not as it was asked for with that, as it reads after the service's name;
it is empty when all is well."""
PID_NAMESPACE: Final = "pid_namespace"
"""This fact says where the process's number means it: in the containers of a pod, the same number
is of different processes."""
SUPERVISOR: Final = "supervisor"
"""This fact says who kills the process when it takes too long, as it stands in a sentence."""
SUPERVISOR_LIMIT: Final = "supervisor_limit_seconds"
"""This fact says after how many seconds that is; 0: that depends on the task."""
SUPERVISOR_TASKS: Final = "supervisor_task_limits"
"""This fact is the limits of single tasks, in seconds, by the name of their spans."""
SUPERVISOR_IS_FOR_REQUESTS: Final = "supervisor_is_for_requests"
"""This fact says whether a request may take so long; else it is the process that must not be
silent."""
OOM_COUNTER: Final = "oom_counter"
"""This fact is the file in which the kernel counts whom it killed as memory ran out."""
OOM_KILLS: Final = "oom_kills"
"""This fact is what that file said when the process began; its vitals say what it said later."""
