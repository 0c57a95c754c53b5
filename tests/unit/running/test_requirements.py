"""What becomes of recording in another interpreter of the process, in processes of their own."""

from __future__ import annotations

import sys

import pytest

from tests.support.processes.service_process import ServiceProcess

PROGRAM = """
import sys
try:
    import _interpreters
except ImportError:
    import _xxsubinterpreters as _interpreters

code = f'''
import sys
sys.path[:] = {sys.path!r}
import otel_flight
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

provider = TracerProvider(resource=Resource({{}}))
recorder = otel_flight.install(tracer_provider=provider, export="off")
for _ in range(5):
    provider.get_tracer("t").start_span("work").end()
'''
if sys.version_info >= (3, 13):
    other = _interpreters.create(sys.argv[1])
    assert _interpreters.exec(other, code + sys.argv[2]) is None
else:
    other = _interpreters.create(isolated=sys.argv[1] == "isolated")
    _interpreters.run_string(other, code + sys.argv[2])
_interpreters.destroy(other)
print("ended")
"""


def run(*arguments: str) -> str:
    """Return what a program printed that has ended well."""
    with ServiceProcess(["-c", PROGRAM, *arguments]) as process:
        assert process.wait() == 0, process.output()
        return process.output()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there it is taken as any other")
def test_an_interpreter_that_no_thread_may_be_in_is_as_without_us() -> None:
    """It could not be destroyed, and the process would die at its end."""
    output = run("legacy", "recorder.trigger('odd'); print(recorder.enabled)")

    assert output.count("records nothing in this process") == 1
    assert output.endswith("\nFalse\nended\n")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the SDK itself ends CPython 3.12 there")
def test_an_interpreter_that_takes_no_extensions_is_as_without_us() -> None:
    """One with a GIL of its own: one warning says that nothing is recorded."""
    output = run("isolated", "recorder.trigger('odd'); print(recorder.enabled)")

    assert output.count("records nothing in this process") == 1
    assert output.endswith("\nFalse\nended\n")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="it cannot be ended beside a thread before")
def test_an_interpreter_ends_in_the_middle_of_the_beginning() -> None:
    """A thread of ours that is still there would end the whole process."""
    assert run("legacy", "") == "ended\n"
