"""A fork while a thread of ours imports leaves the module to the child."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes.service_process import ServiceProcess

PROGRAM = """
import os, signal, sys, time
from opentelemetry.sdk.trace import TracerProvider
import otel_flight
from otel_flight.ground.native import Thread

sys.path.insert(0, sys.argv[1])
recorder = otel_flight.install(tracer_provider=TracerProvider(shutdown_on_exit=False), export="off")
recorder.start()
Thread(lambda: __import__("slow_module"), "imports").start()
while not hasattr(sys, "slow_module_began"):
    time.sleep(0.001)
if (pid := os.fork()) == 0:
    signal.alarm(20)
    import slow_module
    os._exit(0)
print("child", os.waitpid(pid, 0)[1])
recorder.stop()
"""
MODULE = "import sys, time\nsys.slow_module_began = True\ntime.sleep(0.3)\n"


def test_a_child_can_import_what_we_were_importing(tmp_path: Path) -> None:
    """As the exporter is, with the first incident; the program may want the same module."""
    (tmp_path / "slow_module.py").write_text(MODULE)

    with ServiceProcess(["-c", PROGRAM, str(tmp_path)]) as process:
        code = process.wait()
        output = process.output()

    assert (code, output.endswith("child 0\n")) == (0, True), output
