"""Shows the progress of sending on the standard error: a bar on a terminal, a line every 10 s elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from intercomd_daemon.cli.output import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

LINE_SECONDS = 10.0
"""Interval of progress lines without a terminal."""


class ProgressDisplay(Protocol):
    """Shows progress, and lines beside it."""

    def notify(self, text: str) -> None:
        """Prints a line at once."""
        ...

    def update(self, activity: str, read_bytes: int) -> None:
        """Shows the current activity, and how much of the input is done."""
        ...


class LineProgress:
    """Prints the activity as a line every LINE_SECONDS."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINE_SECONDS

    def notify(self, text: str) -> None:
        """Prints a line at once."""
        click.echo(text, err=True)

    def update(self, activity: str, read_bytes: int) -> None:  # noqa: ARG002 - only a bar needs it
        """Prints the activity, unless a line was printed within the last LINE_SECONDS."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            self.notify(activity)


class BarProgress:
    """Updates a task of rich."""

    def __init__(self, drawn: "RichProgress", task: "TaskID") -> None:
        self._drawn = drawn
        self._task = task

    def notify(self, text: str) -> None:
        """Prints a line above the bar."""
        self._drawn.console.print(text, markup=False, soft_wrap=True)

    def update(self, activity: str, read_bytes: int) -> None:
        """Moves the bar, and shows the activity beside it."""
        self._drawn.update(self._task, description=activity, completed=read_bytes)


@contextmanager
def show_progress(total_bytes: int | None) -> Iterator[ProgressDisplay]:
    """Shows progress while the context is open. `total_bytes` is the size of the input, None for a pipe."""
    if not is_terminal(sys.stderr):
        yield LineProgress()
        return
    from rich.console import Console  # noqa: PLC0415 - loads rich only where a bar is drawn
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    if total_bytes:
        columns += [BarColumn(), TaskProgressColumn()]
    with RichProgress(*columns, console=Console(stderr=True, highlight=False), transient=True) as drawn:
        yield BarProgress(drawn, drawn.add_task("", total=total_bytes))
