"""Run the cells of a notebook in a kernel, as Jupyter does, and print what they say.

Two of its cells are run twice: they install the recorder, which is there already.
"""

from __future__ import annotations

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

INSTALL = """
from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer, TracerProvider
import otel_flight
trace.set_tracer_provider(TracerProvider())
recorder = otel_flight.install()
tracer = trace.get_tracer("notebook")
isinstance(tracer, Tracer)
"""
WORK = """
import time
for number in range(20):
    with tracer.start_as_current_span("work", attributes={"number": number}):
        time.sleep(0.005)
recorder = otel_flight.install()
"worked"
"""
SLOW = """
with tracer.start_as_current_span("slow"):
    time.sleep(1.2)
"""
FAIL = """
time.sleep(0.5)
with tracer.start_as_current_span("fail"):
    raise KeyError("pear")
"""
TYPO = "print(orders)"
ASYNCHRONOUS = """
import asyncio
with tracer.start_as_current_span("asynchronous"):
    await asyncio.sleep(0.5)
"done"
"""
CELLS = (INSTALL, WORK, INSTALL, WORK, SLOW, FAIL, TYPO, ASYNCHRONOUS, WORK)


def main() -> None:
    """Run the cells, one after the other, whatever they raise."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS]
    )
    kernel = AsyncKernelManager(kernel_name="python3")
    kernel.kernel_spec.argv.insert(0, "opentelemetry-instrument")
    NotebookClient(notebook, allow_errors=True, km=kernel).execute()
    for cell in notebook.cells:
        for output in cell.outputs:
            print(output.get("text") or output.get("evalue") or output["data"]["text/plain"])


if __name__ == "__main__":
    main()
