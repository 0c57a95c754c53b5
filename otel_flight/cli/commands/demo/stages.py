"""What the demo is doing, visibly: one line a stage, moving on a terminal, plain in a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

_WIDTH = 42


class Stages:
    """Stages one after another; beginning one ends the one before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]" if _is_unicode(console) else "done"),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._words = ""
        self._detail = ""

    def __enter__(self) -> Stages:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._end()
        elif self._task is not None:
            self._progress.update(self._task, detail="")
        self._progress.stop()

    def begin(self, words: str) -> None:
        """Begin a stage."""
        self._end()
        self._words, self._detail = words, ""
        self._task = self._progress.add_task(f"{words:<{_WIDTH}}", total=None, detail="")

    def say(self, detail: str) -> None:
        """Say more about the stage, instead of what was said before."""
        self._detail = detail
        if self._task is not None:
            self._progress.update(self._task, detail=detail)

    def _end(self) -> None:
        if self._task is None:
            return
        self._progress.update(self._task, total=1, completed=1)
        if self._progress.disable:
            self._console.print(f"{self._words}: {self._detail}" if self._detail else self._words)
        self._task = None


def _is_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")
