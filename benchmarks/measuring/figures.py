"""One measured figure, and the lists of them that become a table and a JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit from the design that a figure is shown against; enforced with `--strict` only."""

    limit: float
    is_floor: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.is_floor else '≤'} {self.limit:g}"

    def is_kept_by(self, value: float) -> bool:
        """Return whether the value is on the right side of the limit."""
        return value >= self.limit if self.is_floor else value <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of one variant.

    Attributes:
        low: Lower end of the 95 % interval, or the smallest of several runs; None where there was
            one measurement.
        high: Its upper end.
    """

    quantity: str
    variant: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one benchmark has to say.

    Attributes:
        notes: What a reader must know about this run, a sentence each.
    """

    benchmark: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    seconds: float = 0.0


def as_json(result: Result) -> dict[str, Any]:
    """Return the result as plain values, each budget with its verdict."""
    plain = asdict(result)
    for figure, source in zip(plain["figures"], result.figures, strict=True):
        if source.budget is not None:
            figure["budget"]["is_kept"] = source.budget.is_kept_by(source.value)
    return plain


TABLE_HEADER = ("quantity", "variant", "value", "interval", "unit", "budget", "")


def table_rows(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    """Return the cells of the table, a row for each figure, under `TABLE_HEADER`."""
    return [
        (
            figure.quantity,
            figure.variant,
            _number(figure.value),
            _interval(figure),
            figure.unit,
            "" if figure.budget is None else str(figure.budget),
            _verdict(figure),
        )
        for figure in figures
    ]


def _verdict(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return "kept" if figure.budget.is_kept_by(figure.value) else "MISSED"


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(figure.low)} … {_number(figure.high)}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 0.1 and value else f"{value:.3f}"
