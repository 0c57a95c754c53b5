"""`python -m otel_flight.cli`: the command where scripts are not on the path."""

from __future__ import annotations

import sys

from otel_flight.cli import main

sys.exit(main())
