"""Where the suites' environments, sources and results lie: nothing of them is committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parent.parent
INSIDE: Final = HERE / "inside"
"""What runs in the processes of the suites."""

CACHE: Final = Path(
    os.environ.get("OTEL_FLIGHT_SUITES_DIR") or REPOSITORY / "build" / "suites"
).absolute()
SDISTS: Final = CACHE / "sdists"
ENVIRONMENTS: Final = CACHE / "environments"
WHEELS: Final = CACHE / "wheels"
RUNS: Final = CACHE / "runs"
"""Holds, for each suite and Python, the log and the outcomes of each run."""
