"""Shows the progress of the demo: bars on a terminal, a line every 5 s elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import click

from intercomd_daemon.cli.output import is_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LINE_SECONDS = 5.0
"""Interval of progress lines without a terminal."""
_BAR_CELLS = 24


class DemoProgress(Protocol):
    """What a demo shows of its progress."""

    def line(self) -> str:
        """Returns the progress in one line."""
        ...

    def bars(self) -> Sequence[tuple[str, int, int]]:
        """Returns what is drawn as bars: names, counts and totals."""
        ...

    def facts(self) -> Sequence[tuple[str, str]]:
        """Returns what is shown below the bars: names, and texts with rich's markup."""
        ...


class DemoStatus(NamedTuple):
    """The progress of the demo of one daemon."""

    total: int
    published: int
    answered: int
    """Envelopes whose sender has the result."""
    ended: int
    """Envelopes that have their outcome."""
    due: int
    """Envelopes that must get an outcome."""
    calls: int
    failed: int
    """Calls that failed and were repeated."""
    answering: bool
    """Whether the sandbox responds."""
    pid: int
    """Of the daemon; 0: it is not running."""

    def line(self) -> str:
        """Returns the status in one line."""
        intercom = "up" if self.answering else "down"
        daemon = f"daemon {self.pid}" if self.pid else "daemon killed"
        return (
            f"{self.published} of {self.total} sent, {self.answered} answered, {self.ended} of {self.due} ended, "
            f"{self.calls} calls, {self.failed} failed; {daemon}, Intercom {intercom}"
        )

    def bars(self) -> Sequence[tuple[str, int, int]]:
        """Returns what is drawn as bars."""
        return (
            ("sent by services", self.published, self.total),
            ("answered by the daemon", self.answered, self.total),
            ("outcomes", self.ended, self.due),
        )

    def facts(self) -> Sequence[tuple[str, str]]:
        """Returns what is shown below the bars."""
        daemon = f"[green]running[/green], process {self.pid}" if self.pid else "[red]killed[/red]"
        return (
            ("calls to Intercom", f"{self.calls}, {self.failed} failed"),
            ("daemon", daemon),
            ("Intercom", "[green]up[/green]" if self.answering else "[red]down[/red]"),
        )


class Display(Protocol):
    """Shows the status, and lines beside it."""

    def notify(self, text: str) -> None:
        """Prints a line with the seconds since the start."""
        ...

    def update(self) -> None:
        """Shows the status, if it is time to."""
        ...


class LineDisplay:
    """Prints the status as a line every LINE_SECONDS."""

    def __init__(self, status: Callable[[], DemoProgress]) -> None:
        self._status = status
        self._started = time.monotonic()
        self._next = self._started + LINE_SECONDS

    def notify(self, text: str) -> None:
        """Prints a line with the seconds since the start."""
        click.echo(f"{time.monotonic() - self._started:5.1f} s  {text}")

    def update(self) -> None:
        """Prints the status, unless a line was printed within the last LINE_SECONDS."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            self.notify(self._status().line())


class LiveDisplay:
    """Prints lines above a table that rich redraws by itself."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._started = time.monotonic()

    def notify(self, text: str) -> None:
        """Prints a line above the table."""
        self._console.print(f"[dim]{time.monotonic() - self._started:5.1f} s[/dim]  {text}", soft_wrap=True)

    def update(self) -> None:
        """Does nothing: rich redraws the table."""


@contextmanager
def show_status(status: Callable[[], DemoProgress]) -> Iterator[Display]:
    """Shows the status on the standard output while the context is open."""
    if not is_terminal(sys.stdout):
        yield LineDisplay(status)
        return
    from rich.console import Console  # noqa: PLC0415 - loads rich only where something is drawn
    from rich.live import Live  # noqa: PLC0415

    console = Console(highlight=False)
    with Live(console=console, get_renderable=lambda: _draw(status()), refresh_per_second=8, transient=True):
        yield LiveDisplay(console)


def _draw(status: DemoProgress) -> "Table":
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2))
    for name, count, total in status.bars():
        bar = ProgressBar(total=max(1, total), completed=count, width=_BAR_CELLS)
        grid.add_row(name, bar, f"{count} of {total}")
    for name, text in status.facts():
        grid.add_row(name, text)
    return grid
