"""What a process says of itself in its ring's header, for whoever looks from outside."""

from __future__ import annotations

from typing import Final

SERVICE: Final = "service"
"""This fact is the service's name, as far as the process knows it."""
SPOOL: Final = "spool"
"""This fact is the directory in which the process keeps its incidents."""
SPOOL_PROBLEM: Final = "spool_problem"
"""This fact says what is not as it was asked for with that, as it reads after the service's name;
it is empty when all is well."""
