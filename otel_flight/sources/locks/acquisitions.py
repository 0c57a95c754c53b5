"""Which locks a function has certainly acquired by `lock.acquire()`, wherever it stands just now.

A lock does not know its owner, so this goes through all ways that lead to an instruction: held is
what was acquired on each of them, and on none released since. What does not count: an `acquire`
with arguments, which may not succeed, and a lock that is kept in something without a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import CodeType
from typing import Final, NamedTuple

from otel_flight.interpreter.code.instructions import ATTRIBUTES, AWAITS, CALLS, NAMES, Op
from otel_flight.interpreter.code.opcodes import Analysis, Path, analysis_of, step_at

ACQUIRE: Final = "acquire"
RELEASE: Final = "release"
MOST_INSTRUCTIONS: Final = 5_000
"""At most this many instructions of a function are searched, which takes some milliseconds."""
_NO_WAY_ON: Final = frozenset(
    {
        "RETURN_VALUE",
        "RETURN_CONST",
        "RAISE_VARARGS",
        "RERAISE",
        "JUMP_FORWARD",
        "JUMP_ABSOLUTE",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
    }
)
"""The next instruction does not follow these."""


class _Ways(NamedTuple):
    """How control goes through a function: by the position of an instruction."""

    following: Sequence[Sequence[int]]
    handlers: Sequence[Sequence[int]]
    """Where an exception in it goes."""


def acquired_at(code: CodeType, offset: int) -> list[Path]:
    """Return the locks that are certainly acquired at an instruction, without those of `with`."""
    if not mentions(code, ACQUIRE) or not mentions(code, RELEASE):
        return []
    step = step_at(code, offset)
    if step is not None and step.path[-1] in {ACQUIRE, RELEASE}:
        return []  # in the middle of it
    analysis = analysis_of(code)
    if analysis.acquired is None:
        analysis.acquired = list(_held_in(analysis))
    return [path for path, offsets in analysis.acquired if _start_of(analysis, offset) in offsets]


def named_owners(code: CodeType, method: str) -> list[Path]:
    """Return the names of everything in a function whose `method` it uses."""
    if not mentions(code, method):
        return []
    ops = analysis_of(code).ops
    found = {_owner(ops, at) for at in _uses(ops, method)}
    return [path for path in found if path]


def mentions(code: CodeType, method: str) -> bool:
    """Return whether a function uses an attribute of that name at all."""
    return method in code.co_names


def _held_in(analysis: Analysis) -> Iterator[tuple[Path, frozenset[int]]]:
    """Yield each lock that is acquired for certain, and the instructions before which it is."""
    ops = analysis.ops
    if len(ops) > MOST_INSTRUCTIONS:
        return
    taken: dict[Path, set[int]] = {}
    for at in _uses(ops, ACQUIRE):
        path, effect = _owner(ops, at), _effect_of(analysis, at)
        if path and effect is not None:
            taken.setdefault(path, set()).add(effect)
    if not taken:
        return
    ways = _ways_through(analysis)
    for path, positions in taken.items():
        held = _flow(ways, positions, set(_losses(ops, path)))
        yield path, frozenset(op.offset for op, is_held in zip(ops, held, strict=True) if is_held)


def _flow(ways: _Ways, gains: set[int], losses: set[int]) -> list[bool | None]:
    """Return before which instructions the lock is held whatever way led there."""
    before: list[bool | None] = [None] * len(ways.following)
    before[0] = False
    changed = [0]
    while changed:
        at = changed.pop()
        is_held = bool(before[at])
        after = at not in losses and (at in gains or is_held)
        arrivals = [(each, after) for each in ways.following[at]]
        arrivals += [(each, after and is_held) for each in ways.handlers[at]]
        for target, arriving in arrivals:
            known = before[target]
            merged = arriving if known is None else known and arriving
            if merged is not known:
                before[target] = merged
                changed.append(target)
    return before


def _ways_through(analysis: Analysis) -> _Ways:
    ops, positions = analysis.ops, analysis.positions
    following: list[list[int]] = []
    handlers: list[list[int]] = [[] for _ in ops]
    ranges = list(analysis.handlers)
    for at, each in enumerate(ops):
        ways = [at + 1] if each.name not in _NO_WAY_ON and at + 1 < len(ops) else []
        target = _target(analysis, each)
        if target is not None and each.name.startswith("SETUP_"):  # of Python 3.10
            ranges.append((each.offset, int(each.argument), int(each.argument)))
        elif target is not None:
            ways.append(target)
        following.append(ways)
    for start, end, handler in ranges:
        for at, each in enumerate(ops):
            if start <= each.offset < end and handler in positions:
                handlers[at].append(_first_at(analysis, handler))
    return _Ways(following, handlers)


def _target(analysis: Analysis, op: Op) -> int | None:
    if not op.is_jump or not isinstance(op.argument, int):
        return None
    return _first_at(analysis, op.argument)


def _first_at(analysis: Analysis, offset: int) -> int:
    """Return the position of the instruction at an offset, or of the next one that does something.

    The table knows the last of two that stand at the same one.
    """
    ops = analysis.ops
    while offset not in analysis.positions and offset <= ops[-1].offset:
        offset += 2
    at = analysis.positions.get(offset, len(ops) - 1)
    while at and ops[at - 1].offset == offset:
        at -= 1
    return at


def _start_of(analysis: Analysis, offset: int) -> int:
    while offset > 0 and offset not in analysis.positions:
        offset -= 2  # the call of a Python function has left the room behind its instruction
    return offset


def _uses(ops: Sequence[Op], method: str) -> Iterator[int]:
    return (at for at, op in enumerate(ops) if op.name in ATTRIBUTES and op.argument == method)


def _owner(ops: Sequence[Op], at: int) -> Path:
    """Return whose attribute is taken at a position; empty: it has no name."""
    path: list[str] = []
    at -= 1
    while at > 0 and ops[at].name in ATTRIBUTES:
        path.append(str(ops[at].argument))
        at -= 1
    if at < 0 or ops[at].name not in NAMES:
        return ()
    return (str(ops[at].argument), *reversed(path))


def _effect_of(analysis: Analysis, at: int) -> int | None:
    """Return where a call of `acquire` has come to its end; None: it may not have succeeded."""
    ops = analysis.ops
    at += 1
    while at < len(ops) and ops[at].name in {"PRECALL", "PUSH_NULL"}:
        at += 1
    if at + 1 >= len(ops) or ops[at].name not in CALLS or ops[at].number != 0:
        return None
    at += 1
    if ops[at].name == "GET_AWAITABLE":
        while at < len(ops) and (ops[at].name in AWAITS or ops[at].name == "GET_AWAITABLE"):
            target = _target(analysis, ops[at])
            at = target if target is not None else at + 1
        while at < len(ops) and ops[at].name == "END_SEND":
            at += 1
    return at if at < len(ops) and ops[at].name == "POP_TOP" else None


def _losses(ops: Sequence[Op], path: Path) -> Iterator[int]:
    """Yield where a lock may be let go of, or its name be given to another one."""
    for at, op in enumerate(ops):
        if op.name in ATTRIBUTES and op.argument == RELEASE:
            if _owner(ops, at) in {path, ()}:
                yield at
        elif op.name.startswith(("STORE_", "DELETE_")):
            stored = op.argument if isinstance(op.argument, tuple) else (op.argument,)
            if any(each in path for each in stored):
                yield at
