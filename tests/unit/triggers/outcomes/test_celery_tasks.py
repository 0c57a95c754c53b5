"""Exceptions that a Celery task says it throws."""

from __future__ import annotations

import pytest

from otel_flight.triggers.outcomes.celery_tasks import is_thrown_by_task

celery = pytest.importorskip("celery")


class NotFoundError(Exception):
    """Expected."""


class UserNotFoundError(NotFoundError):
    """One of those."""


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a task that throws."""
    app = celery.Celery("outcomes", set_as_current=False)
    monkeypatch.setattr("celery._state.get_current_app", lambda: app)

    @app.task(name="outcomes.find", throws=(NotFoundError, KeyError))  # type: ignore[untyped-decorator]
    def find() -> None:
        """Find something."""

    return str(find.name)


def test_what_a_task_throws_is_expected(task: str) -> None:
    """The class itself, one below it, and a built-in one; no other."""
    attributes = {"celery.task_name": task}

    found = [
        is_thrown_by_task(attributes, name)
        for name in (
            f"{__name__}.NotFoundError",
            f"{__name__}.UserNotFoundError",
            "KeyError",
            "ValueError",
            "",
        )
    ]

    assert found == [True, True, True, False, False]


@pytest.mark.usefixtures("task")
@pytest.mark.parametrize("attributes", [{}, {"celery.task_name": "no.such.task"}])
def test_of_other_spans_nothing_is_expected(attributes: dict[str, str]) -> None:
    """Consumers that are not of Celery, or tasks that are gone."""
    assert not is_thrown_by_task(attributes, "KeyError")
