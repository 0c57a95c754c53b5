"""The instructions of functions, by the same names on every Python."""

from __future__ import annotations

import dis
import sys
from contextlib import nullcontext

import pytest

from otel_flight.interpreter.code import instructions


def test_this_python_is_known() -> None:
    """Another one needs its row, here and where frames are read in C, before it is supported."""
    version = sys.version_info[:2]

    assert instructions.KNOWN.get(instructions.NUMBER) == version, (
        f"the instructions of Python {version} have the number {instructions.NUMBER}, which is not "
        "known: compare what `dis` prints for the functions of test_opcodes.py and "
        "test_acquisitions.py with what the version before had, then add it to instructions.KNOWN, "
        "to _frames.c and _hot_path.c, to noxfile.py, and to the classifiers"
    )


def test_of_an_unknown_python_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its instructions may have the names of ours, and do something else."""
    monkeypatch.setattr(instructions, "NUMBER", 1)

    assert instructions.ops_of(test_this_python_is_known.__code__) == []


def test_the_stack_grows_as_the_interpreter_says() -> None:
    """Whatever becomes of them: of several instructions one is made, or of one several."""

    def enters_and_calls(first: object, other: object) -> None:
        with nullcontext(str(first)) as text, nullcontext(first):
            text.join([str(other) + str(first)])

    code = enters_and_calls.__code__
    effects = (dis.stack_effect(each.opcode, each.arg, jump=False) for each in dis.Bytecode(code))

    assert sum(each.effect for each in instructions.ops_of(code)) == sum(effects)
