"""Programs that end by themselves: pools of processes, clients, tests, notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otel_flight.names import trigger_names
from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit

INCIDENTS: Final = (Expected(SLOW, "slow"), Expected(FAILED, "fail"))
_AS_USER: Final = (
    "setpriv --reuid=64123 --regid=64123 --clear-groups "
    "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
)
"""Root has no limits; whoever may read everything finds the interpreter wherever it is."""


def _wait(visit: Visit) -> None:
    """Ask nothing: the program does what it does."""


def _let_go_on(visit: Visit) -> None:
    """Let the program go on when its incidents are there."""
    for _ in range(2):
        visit.wait_for_incident()
        visit.process.say("go on")


def _pool(method: str) -> Host:
    return Host(
        name=f"multiprocessing, {method}",
        section="Scripts",
        command=f"opentelemetry-instrument python pool_of_processes.py {method}",
        packages=("opentelemetry-sdk",),
        instrumentations=(),
        traffic=_let_go_on,
        incidents=INCIDENTS,
        ends_by=None,
        runs_exit_handlers=False,
    )


def _tests(name: str, program: str, incidents: Sequence[Expected]) -> Host:
    return Host(
        name=name,
        section="Scripts",
        command=(
            "opentelemetry-instrument pytest -W error -v -p no:cacheprovider "
            f"-c /dev/null --rootdir {{folder}}/app {{folder}}/app/{program}"
        ),
        copies=(program,),
        packages=("pytest", "freezegun"),
        instrumentations=(),
        traffic=_wait,
        incidents=incidents,
        ends_by=None,
    )


HOSTS: Final[Sequence[Host]] = [
    *(_pool(method) for method in ("fork", "spawn", "forkserver")),
    _tests("pytest, with freezegun", "orders_tests.py", INCIDENTS),
    _tests("pytest, with a clock that jumps", "clock_tests.py", ()),
    Host(
        name="a notebook that installs twice",
        section="Scripts",
        command="python notebook.py",
        packages=("ipykernel", "nbclient"),
        instrumentations=(),
        traffic=_wait,
        # What runs in a cell runs on the event loop of the kernel.
        incidents=(
            Expected(SLOW, "slow", frozenset({trigger_names.LOOP_STALL})),
            Expected(FAILED, "fail"),
        ),
        ends_by=None,
    ),
    Host(
        name="a limit that allows no thread",
        section="Scripts",
        command=(f"{_AS_USER} prlimit --nproc=1 opentelemetry-instrument python few_threads.py"),
        packages=("opentelemetry-sdk",),
        instrumentations=(),
        programs=("setpriv", "prlimit"),
        traffic=_wait,
        ends_by=None,
        needs_root=True,
        note="Nothing is recorded there, for the recorder needs a thread.",
    ),
]
