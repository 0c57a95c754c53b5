"""`make backends`: builds what is not built yet; arguments name some of the backends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.backends.build import BuildFailedError, build
from tests.backends.sources import BACKENDS, PROGRAMS, backend


def main(names: Sequence[str]) -> int:
    """Build the named backends, or all, one after the other; return the exit code."""
    known = [each.name for each in BACKENDS]
    unknown = [name for name in names if name not in known]
    if unknown:
        say(f"no backend is called {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    try:
        for name in names or known:
            build(backend(name), say)
    except BuildFailedError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        return 130
    say(f"all in {PROGRAMS}")
    return 0


def say(line: str) -> None:
    """Write a line of progress at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
