"""Which backends there are, what they are made of, and where the finished programs lie.

Standard library only: `make backends` runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_SOURCES: Final = ("go.mod", "go.sum", "main.go")

# Read at import, as a test finds the OTEL_* variables taken away.
PROGRAMS: Final = Path(
    os.environ.get("OTEL_FLIGHT_BACKENDS_DIR") or _HERE.parent.parent / ".backends"
).absolute()
"""Where the programs are built into."""

BUILD_FLAGS: Final = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w")


@dataclass(frozen=True)
class Backend:
    """One program that is built from the Go module beside this file.

    Attributes:
        name: of the folder with its go.mod, and of the program.
        title: what it is, with its version.
        package: what `go build` is told to build.
    """

    name: str
    title: str
    package: str

    @property
    def module_folder(self) -> Path:
        """Where its go.mod and go.sum are."""
        return _HERE / self.name

    @property
    def program(self) -> Path:
        """The finished program, whether it is there or not."""
        return PROGRAMS / self.name

    @property
    def stamp(self) -> Path:
        """Says what the program was built from."""
        return PROGRAMS / f"{self.name}.stamp"

    def fingerprint(self) -> str:
        """Return a hash over everything that decides what is built."""
        digest = hashlib.sha256(f"{self.package}\0{BUILD_FLAGS}".encode())
        for name in _SOURCES:
            path = self.module_folder / name
            digest.update(path.read_bytes() if path.exists() else b"\0")
        return digest.hexdigest()

    def is_built(self) -> bool:
        """Whether the program is there and was built from the sources as they are now."""
        return (
            self.program.exists()
            and self.stamp.exists()
            and self.stamp.read_text(encoding="ascii").strip() == self.fingerprint()
        )


BACKENDS: Final = (
    Backend("collector", "OpenTelemetry Collector 0.140", "."),
    Backend("jaeger", "Jaeger v2 (1.76.0)", "github.com/jaegertracing/jaeger/cmd/jaeger"),
    Backend("tempo", "Tempo 2.9.0", "github.com/grafana/tempo/cmd/tempo"),
)
"""In the order they are built, the shortest build first."""


def backend(name: str) -> Backend:
    """Return the backend of that name.

    Raises:
        KeyError: there is none.
    """
    return {each.name: each for each in BACKENDS}[name]
