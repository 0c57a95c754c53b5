"""The page of findings: a section a rule, in the rule's own words, with what is shown today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from docs import generate_findings as generator
from otel_flight.assembly import RULES

PAGE = generator.PAGE.read_text(encoding="utf-8")
OUTPUTS = generator.outputs_in(PAGE)
NAMES = [rule.name for rule in RULES]
NUMBER = re.compile(r"\d+(?:\.\d+)?(?: ?(?:us|ms|s|m|h|%|MiB|KiB|B)\b)?")
BAR = re.compile(r"[━▒╍─┄◀▶╸][ ━▒╍─┄◀▶╸]*")
HEADING = re.compile(r"^(\S.*?) ─+$", re.MULTILINE)
KNOWN_HEADINGS = (
    "Findings",
    "Where the ",
    "Trace ",
    "Meanwhile: ",
    "Requests within ",
    "What else happened: ",
)


def form_of(output: str) -> str:
    """Return what an output says up to the trace, without numbers, bars and line breaks.

    What comes then, and where lines are broken, is different each time; so are the smallest parts
    of where the time went.
    """
    told = re.split(r"^(?:Meanwhile|What else happened): ", output, flags=re.MULTILINE)[0]
    told = re.sub(r"^(Where the .*\n.+)(?:\n.+)*", r"\1", told, flags=re.MULTILINE)
    return " ".join(NUMBER.sub("#", BAR.sub(" = ", told)).split())


def test_each_rule_has_its_section_in_its_own_words() -> None:
    """No rule is missing, and all but the examples is what the rules say of themselves now."""
    assert sorted(OUTPUTS) == sorted(NAMES), "run `python -m docs.generate_findings`"
    assert generator.findings_page(OUTPUTS) == PAGE, "run `python -m docs.generate_findings`"


@pytest.mark.parametrize("rule", NAMES)
def test_an_example_has_the_form_of_the_report(rule: str) -> None:
    """Head, findings from 1 on, a trace whose rows fit the width, and nothing of one machine."""
    output = OUTPUTS[rule]

    lines = output.splitlines()
    assert re.fullmatch(r"Incident \d{8}-\d{6}-[0-9a-f]{9} .*", lines[0])
    assert max(map(cell_len, lines)) <= generator.WIDTH
    numbers = [int(each) for each in re.findall(r"^\[(\d+)\] ", output, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert generator.like_anywhere(output) == output
    assert str(Path.home()) not in output
    assert str(generator.PAGE.parents[2]) not in output
    assert "/tmp/" not in output
    headings = HEADING.findall(output)
    assert headings[0] == "Findings"
    assert all(heading.startswith(KNOWN_HEADINGS) for heading in headings)


@pytest.mark.parametrize("rule", ["slow_downstream", "self_time"])
def test_an_example_made_now_reads_like_the_one_on_the_page(rule: str) -> None:
    """But for its numbers: when the report or the rule changes, the page has to."""
    made = generator.make_output(rule)

    assert form_of(made) == form_of(OUTPUTS[rule]), "run `python -m docs.generate_findings`"
