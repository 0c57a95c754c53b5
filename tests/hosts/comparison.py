"""What is different about a host with the recorder: nothing, but for the incidents expected."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from otel_flight.incidents.manifest import Manifest
from tests.hosts.host import Expected, Host
from tests.hosts.host_run import HostRun

_TOLD: Final = r"\botel-flight kept incident "
"""What the log says of each incident."""
MOST_SLOWER: Final = 1.5
"""A usual answer, and the end, may take this many times as long. The machine of the tests may be
busy, too: what the recorder really costs, the benchmarks say."""
MOST_LATER_SECONDS: Final = 0.010
"""And so much longer, as very short times compare badly."""
MOST_LATER_ENDING_SECONDS: Final = 1.0
"""A host may take so much longer to end: nothing is open then that would have to be saved."""
# The names that multiprocessing gives its semaphores are of letters as well.
_NUMBERS: Final = re.compile(
    r"(?<=/mp-)\w+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+(?:\.\d+)?",
    re.IGNORECASE,
)


def differences(host: Host, control: HostRun, recorded: HostRun) -> list[str]:
    """Return a sentence for each thing that the recorder changed, or did not do."""
    return [
        *_answers(control, recorded),
        *_exit_code(control, recorded),
        *later(control, recorded),
        *_log(host, control, recorded),
        *_incidents(host.incidents, recorded.incidents),
        *(f"the control run left the incident {_title(each)}" for each in control.incidents),
        *_remains(host, control, recorded),
    ]


def later(control: HostRun, recorded: HostRun) -> Iterator[str]:
    """Yield a sentence for each thing that took longer, which a busy machine does as well."""
    yield from _latency(control, recorded)
    limit_seconds = control.ending_seconds * MOST_SLOWER + MOST_LATER_ENDING_SECONDS
    if recorded.ending_seconds > limit_seconds:
        yield (
            f"ended after {recorded.ending_seconds:.2f} s instead of {control.ending_seconds:.2f} s"
        )


def lines_of(run: HostRun) -> Counter[str]:
    """Return the lines of a log, without what is different each time."""
    text = run.log.replace(str(run.folder), "<folder>").replace(
        f"/{run.folder.name}/", "/<folder>/"
    )
    return Counter(_NUMBERS.sub("#", line).strip() for line in text.splitlines())


def _answers(control: HostRun, recorded: HostRun) -> Iterator[str]:
    if len(control.answers) != len(recorded.answers):
        yield f"{len(recorded.answers)} answers instead of {len(control.answers)}"
    for right, answer in zip(control.answers, recorded.answers, strict=False):
        if right != answer:
            yield f"answered {answer!r} instead of {right!r}"


def _latency(control: HostRun, recorded: HostRun) -> Iterator[str]:
    if len(control.healthy_seconds) < 2 or len(recorded.healthy_seconds) < 2:
        return
    usual, now = _low_quartile(control.healthy_seconds), _low_quartile(recorded.healthy_seconds)
    if now > usual * MOST_SLOWER + MOST_LATER_SECONDS:
        yield f"a usual answer took {now:.3f} s instead of {usual:.3f} s"


def _low_quartile(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=4)[0]


def _exit_code(control: HostRun, recorded: HostRun) -> Iterator[str]:
    if recorded.exit_code != control.exit_code:
        yield f"exited {recorded.exit_code} instead of {control.exit_code}"


def _log(host: Host, control: HostRun, recorded: HostRun) -> Iterator[str]:
    for line, count in (lines_of(recorded) - lines_of(control)).items():
        if line and not any(re.search(pattern, line) for pattern in (_TOLD, *host.says)):
            yield f"wrote {count} more of the line {line!r}"


def _incidents(expected: Sequence[Expected], incidents: Sequence[Manifest]) -> Iterator[str]:
    missing = list(expected)
    for incident in incidents:
        fitting = next((each for each in missing if _is_of(incident, each)), None)
        if fitting is None:
            yield f"the incident {_title(incident)} was not expected"
            continue
        missing.remove(fitting)
        if not incident.spans:
            yield f"the incident {_title(incident)} has no spans"
    for each in missing:
        yield f"there is no incident {' or '.join(sorted(each.triggers))} of {each.subject!r}"


def _is_of(incident: Manifest, expected: Expected) -> bool:
    subjects = {
        cause.subject for cause in incident.causes if cause.trigger not in expected.joined_by
    }
    triggers = {cause.trigger for cause in incident.causes} - expected.joined_by
    return subjects == {expected.subject} and triggers <= expected.triggers


def _title(incident: Manifest) -> str:
    return " and ".join(f"{cause.title!r} ({cause.trigger})" for cause in incident.causes)


def _remains(host: Host, control: HostRun, recorded: HostRun) -> Iterator[str]:
    if len(recorded.left_processes) > len(control.left_processes):
        yield f"left these processes running: {recorded.left_processes}"
    if recorded.left_rings and host.runs_exit_handlers:
        yield f"left these rings: {recorded.left_rings}"
