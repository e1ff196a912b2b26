"""What a viewer sees while the demo plays: how far it is and what befalls it; drawn on a terminal, else in lines."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import click

if TYPE_CHECKING:
    from rich.table import Table

LINE_SECONDS = 5.0
"""Between lines of progress, where there is no terminal."""
_BAR_CELLS = 40


class Look(NamedTuple):
    """How far it is."""

    total: int
    published: int
    answered: int
    """Envelopes whose sender knows what became of them."""
    ended: int
    """Envelopes that have their outcome."""
    due: int
    """Envelopes that must get one."""
    calls: int
    spoilt: int
    """Calls that went wrong, and were made again."""
    answering: bool
    """Whether Intercom's stand-in is there."""
    pid: int
    """Of the daemon; 0: it is not there."""

    def words(self) -> str:
        """In one line."""
        intercom = "answers" if self.answering else "is out"
        daemon = f"daemon {self.pid}" if self.pid else "no daemon"
        return (
            f"{self.published} of {self.total} sent, {self.answered} answered, {self.ended} of {self.due} ended, "
            f"{self.calls} calls, {self.spoilt} of them in vain; {daemon}, Intercom {intercom}"
        )


class Screen(Protocol):
    """Shows; a context manager."""

    def tell(self, text: str) -> None:
        """Something happens."""
        ...

    def progress(self) -> None:
        """Something has moved on."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Plain:
    """Lines."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look
        self._began = time.monotonic()
        self._next = self._began + LINE_SECONDS

    def tell(self, text: str) -> None:
        """A line with the seconds since the beginning."""
        click.echo(f"{time.monotonic() - self._began:5.1f} s  {text}")

    def progress(self) -> None:
        """A line now and then."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            self.tell(self._look().words())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to take away."""


class Drawn:
    """Bars that grow, below the lines."""

    def __init__(self, look: Callable[[], Look]) -> None:
        from rich.console import Console  # noqa: PLC0415 - only for what is drawn
        from rich.live import Live  # noqa: PLC0415

        self._look = look
        self._began = time.monotonic()
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, get_renderable=self._drawn, refresh_per_second=8, transient=True)

    def tell(self, text: str) -> None:
        """A line above the bars."""
        self._console.print(f"[dim]{time.monotonic() - self._began:5.1f} s[/dim]  {text}", soft_wrap=True)

    def progress(self) -> None:
        """The bars look by themselves."""

    def _drawn(self) -> "Table":
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        look = self._look()
        grid = Table.grid(padding=(0, 2))
        for name, count, total in (
            ("sent by services", look.published, look.total),
            ("answered by the daemon", look.answered, look.total),
            ("ended at Intercom", look.ended, look.due),
        ):
            bar = ProgressBar(total=max(1, total), completed=count, width=_BAR_CELLS)
            grid.add_row(name, bar, f"{count} of {total}")
        grid.add_row("calls to Intercom", f"{look.calls}, {look.spoilt} of them in vain")
        daemon = f"[green]runs[/green], process {look.pid}" if look.pid else "[red]killed[/red]"
        grid.add_row("the daemon", daemon)
        grid.add_row("Intercom", "[green]answers[/green]" if look.answering else "[red]is out[/red]")
        return grid

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def screen(look: Callable[[], Look]) -> Screen:
    """The one that suits the standard output."""
    return Drawn(look) if sys.stdout.isatty() else Plain(look)
