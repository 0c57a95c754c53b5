"""The page of compatibility is made of the hosts as they are described now."""

from __future__ import annotations

from docs import generate_compatibility as generator
from tests.hosts.every_host import HOSTS

HINT = "run `make hosts`, then `python -m docs.generate_compatibility build/hosts/*.json`"


def test_the_page_is_up_to_date() -> None:
    """What is committed is what the generator makes of the descriptions and the results."""
    page = generator.PAGE.read_text(encoding="utf-8")

    assert generator.compatibility_page(generator.kept_results()) == page, HINT


def test_each_host_has_a_result() -> None:
    """A host that was described was run as well, and none failed that is not known to."""
    results = generator.kept_results().values()
    names = [host.name for host in HOSTS]

    assert len(set(names)) == len(names)
    assert set(names) == {name for each in results for name in each.hosts}, HINT
    failed = [
        (each.python, name)
        for each in results
        for name, result in each.hosts.items()
        if result.outcome == "failed"
    ]
    assert failed == []
