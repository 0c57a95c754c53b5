"""The instructions of a function, with the same names whichever Python has compiled it.

What one version does in one instruction, another does in several, or under another name. Here is
all that differs between them; what reads the instructions knows one kind.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from types import CodeType
from typing import Any, Final

import msgspec

KNOWN: Final = {
    3439: (3, 10),
    3495: (3, 11),
    3531: (3, 12),
    3571: (3, 13),
    3627: (3, 14),
    3666: (3, 15),
}
"""These versions of Python are known, by the number of the instruction set that its compiled files
begin with. Of another version no function has any instructions: what is said of it might be wrong.
Who adds one compares what `dis` prints for the functions in the tests of `opcodes.py`."""
NUMBER: Final = int.from_bytes(MAGIC_NUMBER[:2], "little")
"""This is the number of the instruction set of this Python."""

CALLS: Final = frozenset(
    {"CALL", "CALL_KW", "CALL_FUNCTION", "CALL_FUNCTION_KW", "CALL_METHOD", "CALL_FUNCTION_EX"}
)
NAMES: Final = frozenset({"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME"})
ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
AWAITS: Final = frozenset(
    {
        "GET_AWAITABLE",
        "LOAD_CONST",
        "LOAD_COMMON_CONSTANT",
        "PUSH_NULL",
        "SEND",
        "YIELD_VALUE",
        "YIELD_FROM",
        "RESUME",
    }
)
_NOTHING: Final = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "NOT_TAKEN"})
_RENAMED: Final = {"LOAD_FAST_BORROW": "LOAD_FAST"}
_TWO_IN_ONE: Final = {
    "LOAD_FAST_LOAD_FAST": (("LOAD_FAST", 1), ("LOAD_FAST", 1)),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": (("LOAD_FAST", 1), ("LOAD_FAST", 1)),
    "STORE_FAST_LOAD_FAST": (("STORE_FAST", -1), ("LOAD_FAST", 1)),
}
_ENTERING: Final = ["COPY", "LOAD_SPECIAL", "SWAP", "SWAP", "LOAD_SPECIAL", "CALL"]
"""From Python 3.14 on, a context manager is entered by these instructions."""
_ENTERED_BY: Final = {"__enter__": "BEFORE_WITH", "__aenter__": "BEFORE_ASYNC_WITH"}


class Op(msgspec.Struct, frozen=True, gc=False):
    """An instruction; the collector need not look at thousands of them."""

    name: str
    argument: Any
    offset: int
    effect: int
    """By how much the stack grows."""
    is_jump: bool
    number: int | None


def ops_of(code: CodeType) -> list[Op]:
    """Return the instructions of a function; none where this Python is not known."""
    if NUMBER not in KNOWN:
        return []
    found = [each for each in dis.get_instructions(code) if each.opname not in _NOTHING]
    ops: list[Op] = []
    for at, each in enumerate(found):
        ops += _as_ops(each)
        if each.opname == "CALL" and _enters(found, at):
            ops[-len(_ENTERING) :] = [_entry(ops[-len(_ENTERING) :], found[at - 1].argrepr)]
    return ops


def _as_ops(each: dis.Instruction) -> Iterator[Op]:
    if each.opname in _TWO_IN_ONE:
        for (name, effect), argument in zip(_TWO_IN_ONE[each.opname], each.argval, strict=True):
            yield Op(name, argument, each.offset, effect, False, None)
        return
    effect = dis.stack_effect(each.opcode, each.arg, jump=False)
    is_jump = each.opcode in dis.hasjrel or each.opcode in dis.hasjabs
    # It has a target from Python 3.14 on, and does not go there.
    is_jump = is_jump and each.opname != "END_ASYNC_FOR"
    name = _RENAMED.get(each.opname, each.opname)
    yield Op(name, each.argval, each.offset, effect, is_jump, each.arg)


def _enters(found: list[dis.Instruction], at: int) -> bool:
    before = found[max(0, at + 1 - len(_ENTERING)) : at + 1]
    return [each.opname for each in before] == _ENTERING


def _entry(ops: list[Op], special: str) -> Op:
    """Return what enters a context manager in one, at the call that does so."""
    effect = sum(each.effect for each in ops)
    return Op(_ENTERED_BY[special], None, ops[-1].offset, effect, False, None)
