"""How a receiver behaves, and what is to become of the incident that is sent to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Outcome = Literal["delivered", "kept", "without some"]
_Asked = TypeVar("_Asked")


@dataclass(frozen=True)
class Behaviour(Generic[_Asked]):
    """One way to answer.

    Attributes:
        name: what the receiver does.
        answer: does it, with each connection or each call.
        outcome: what becomes of an incident that is sent there: one that is `kept` is sent again,
            one that is delivered `without some` spans is over, as the receiver does not take them.
        said: a regular expression of what is said about it; empty: nothing is.
    """

    name: str
    answer: Callable[[_Asked], object]
    outcome: Outcome
    said: str = ""


def taking(name: str, answer: Callable[[_Asked], object]) -> Behaviour[_Asked]:
    """Return the behaviour of a receiver that takes all."""
    return Behaviour(name, answer, "delivered")


def taking_some(name: str, answer: Callable[[_Asked], object], said: str) -> Behaviour[_Asked]:
    """Return the behaviour of a receiver that takes all but some spans."""
    return Behaviour(name, answer, "without some", said)


def not_taking(name: str, answer: Callable[[_Asked], object], said: str) -> Behaviour[_Asked]:
    """Return the behaviour of a receiver of which nobody knows whether it took anything."""
    return Behaviour(name, answer, "kept", said)
