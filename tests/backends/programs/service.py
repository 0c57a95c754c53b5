"""What the storefront and the warehouse share: they are witnessed, and asked to tell at once.

Environment: WITNESS_FOLDER, where to write what the witness saw, in files of OTLP as the shop does;
RANDOM_SEED, if the ids, and thus which traces the head sampler keeps, are to be the same each time.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

import otel_flight
from tests.backends.programs.witness import Witness


def witnessed() -> FastAPI:
    """Return an application whose spans are witnessed; `POST /witness` writes them down."""
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider), "start it under opentelemetry-instrument"
    recorder = otel_flight.get_recorder()
    assert recorder is not None
    recorder.start()  # what is noted before that, the witness does not see
    witness = Witness(provider)
    app = FastAPI()

    @app.post("/witness")
    async def write_down() -> None:
        """Write down what happened so far; excluded from tracing, see two_services.py."""
        witness.write_to(Path(os.environ["WITNESS_FOLDER"]))

    if seed := os.environ.get("RANDOM_SEED"):
        random.seed(int(seed))
    return app


def tracer(name: str) -> Tracer:
    """Return a tracer with everything a scope can have."""
    return trace.get_tracer(name, "1.0", schema_url="https://example.org/schema")
