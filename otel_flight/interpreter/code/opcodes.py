"""What a frame is in the middle of: which native call it makes, inside which `with`.

Native functions have no frames: a thread that sleeps, or waits for a lock, is seen in the Python
function that called it, and only the instruction it stands at tells it from a busy loop.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import Final, NamedTuple

from otel_flight.interpreter.code.instructions import ATTRIBUTES, AWAITS, CALLS, NAMES, Op, ops_of

CALL: Final = "call"
"""A step of this kind calls a function, or awaits it."""
ENTER: Final = "enter"
"""A step of this kind enters a context manager, with which a `with` statement begins."""
MOST_CODES: Final = 256
"""The analyses of this many code objects are kept; then all are forgotten."""
UNNAMED: Final = "…"
"""This stands in a path for what has no name, such as the result of another call."""

Path = tuple[str, ...]
"""A path is a name with its attributes: `self._lock.acquire` is `("self", "_lock", "acquire")`."""

_ENTERS: Final = frozenset({"BEFORE_WITH", "SETUP_WITH"})
_ENTERS_ASYNC: Final = "BEFORE_ASYNC_WITH"


class Step(NamedTuple):
    """What an instruction does, or awaits: `CALL` or `ENTER`, and what it calls or enters."""

    kind: str
    path: Path


class Analysis:
    """The instructions of a code object, and what was worked out about them."""

    def __init__(self, code: CodeType) -> None:
        self.code = code  # so that its id is not another's
        self.ops = ops_of(code)
        self.positions = {each.offset: at for at, each in enumerate(self.ops)}
        self.steps: dict[int, Step | None] = {}
        self.blocks: dict[int, list[Path]] = {}
        self.acquired: list[tuple[Path, frozenset[int]]] | None = None
        # How exceptions are handled, as (first offset, offset after the last, handler); empty in
        # Python 3.10, where instructions say so.
        self.handlers = [
            (each.start, each.end, each.target)
            for each in getattr(dis.Bytecode(code), "exception_entries", ())
        ]


_analyses: dict[int, Analysis] = {}


def analysis_of(code: CodeType) -> Analysis:
    """Return the instructions of a code object, worked out once."""
    found = _analyses.get(id(code))
    if found is None:
        if len(_analyses) >= MOST_CODES:
            _analyses.clear()
        found = _analyses[id(code)] = Analysis(code)
    return found


def step_at(code: CodeType, offset: int) -> Step | None:
    """Return what the instruction at an offset (`f_lasti`) calls or enters, None when neither.

    Takes some 100 µs for a function that was not seen before.
    """
    analysis = analysis_of(code)
    if offset not in analysis.steps:
        start = offset
        while start > 0 and start not in analysis.positions:
            start -= 2  # the call of a Python function has left the room behind its instruction
        analysis.steps[offset] = _step_at(analysis.ops, analysis.positions.get(start))
    return analysis.steps[offset]


def blocks_around(code: CodeType, offset: int) -> list[Path]:
    """Return the context managers whose blocks an instruction is inside of, outermost first.

    Only those that have a name in their `with` statement: `with self._lock:`.
    """
    analysis = analysis_of(code)
    if offset not in analysis.blocks:
        find = _blocks_by_table if analysis.handlers else _blocks_by_instructions
        analysis.blocks[offset] = find(analysis, offset)
    return analysis.blocks[offset]


def _step_at(ops: Sequence[Op], at: int | None) -> Step | None:
    if at is None:
        return None
    while at and ops[at].name in AWAITS:  # a coroutine stands behind the call that it awaits
        at -= 1
    name = ops[at].name
    if name in _ENTERS or name == _ENTERS_ASYNC:
        path, kind = _manager_before(ops, at), ENTER
    elif name == "PRECALL":  # of Python 3.11, which does the whole call itself at times
        path, kind = _path_before(ops, at, (ops[at].number or 0) + 2), CALL
    elif name in CALLS:
        if at and ops[at - 1].name == "PRECALL":
            return _step_at(ops, at - 1)
        path, kind = _path_before(ops, at, 1 - ops[at].effect), CALL
    else:
        return None
    return Step(kind, path) if path is not None else None


def _path_before(ops: Sequence[Op], at: int, taken: int) -> Path | None:
    """Return the name of the lowest of the `taken` values that lie on the stack before `at`."""
    start = _start_of(ops, at, taken)
    if start is None:
        return None
    while start < at and ops[start].name == "PUSH_NULL":
        start += 1
    has_name = ops[start].name in NAMES
    path = [str(ops[start].argument) if has_name else UNNAMED]
    following = start + 1
    while not has_name and following < at and ops[following].name not in ATTRIBUTES:
        following += 1  # to the attribute of what was made here
    while following < at and ops[following].name in ATTRIBUTES:
        path.append(str(ops[following].argument))
        following += 1
    return tuple(path) if path != [UNNAMED] else None


def _start_of(ops: Sequence[Op], at: int, taken: int) -> int | None:
    """Return where the instructions begin that put the last `taken` values onto the stack."""
    start = at
    while taken > 0 and start > 0:
        start -= 1
        if ops[start].is_jump:
            return None  # a choice between two values: neither is it
        taken -= ops[start].effect
    return None if taken else start


def _manager_before(ops: Sequence[Op], at: int) -> Path | None:
    """Return the name of the context manager that is entered at `at`."""
    start = _start_of(ops, at, 1)
    path = _path_before(ops, at, 1)
    if start is None or path is None:
        return None
    is_whole = at - start == len(path) and path[0] != UNNAMED
    return path if is_whole else (*path, UNNAMED)


def _blocks_by_table(analysis: Analysis, offset: int) -> list[Path]:
    """Go from the handler of an instruction to the handler of that one, and so on outwards."""
    managers = dict(_managers_by_handler(analysis))
    found: list[Path] = []
    seen: set[int] = set()
    while (target := _handler_of(analysis, offset)) is not None and target not in seen:
        seen.add(target)
        if target in managers:
            found.append(managers[target])
        offset = target
    return found[::-1]


def _managers_by_handler(analysis: Analysis) -> Iterator[tuple[int, Path]]:
    ops = analysis.ops
    for at, each in enumerate(ops):
        begin = each.offset + 1
        if each.name == _ENTERS_ASYNC:  # the block begins when `__aenter__` has been awaited
            sends = (other for other in ops[at:] if other.name == "SEND")
            begin = next((int(other.argument) for other in sends), begin)
        elif each.name not in _ENTERS:
            continue
        handlers = (target for start, _, target in analysis.handlers if start >= begin)
        handler = next((each for each in handlers if _leaves_block(analysis, each)), None)
        path = _manager_before(ops, at)
        if handler is not None and path is not None:
            yield handler, path


def _handler_of(analysis: Analysis, offset: int) -> int | None:
    entries = analysis.handlers
    return next((target for start, end, target in entries if start <= offset < end), None)


def _leaves_block(analysis: Analysis, offset: int) -> bool:
    """Whether the handler at an offset is that of a `with` block."""
    at = analysis.positions.get(offset, 0)
    return [each.name for each in analysis.ops[at : at + 2]] == [
        "PUSH_EXC_INFO",
        "WITH_EXCEPT_START",
    ]


def _blocks_by_instructions(analysis: Analysis, offset: int) -> list[Path]:
    found = []
    ops = analysis.ops
    for at, each in enumerate(ops):
        if each.name not in {"SETUP_WITH", "SETUP_ASYNC_WITH"}:
            continue
        if each.offset < offset < each.argument:
            entered = at
            while each.name == "SETUP_ASYNC_WITH" and ops[entered].name != _ENTERS_ASYNC:
                entered -= 1
            path = _manager_before(ops, entered)
            if path is not None:
                found.append(path)
    return found
