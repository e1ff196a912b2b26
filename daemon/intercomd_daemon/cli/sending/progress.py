"""How far sending is, on the standard error: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self

import click

LINE_SECONDS = 10.0
"""Between lines, where there is no terminal."""


class Gauge(Protocol):
    """Shows how far it is; a context manager."""

    def tell(self, text: str) -> None:
        """A line for a person, beside what is shown."""
        ...

    def show(self, doing: str, read_bytes: int) -> None:
        """What is done now, in words, and how far the input is."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Plain:
    """Lines."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINE_SECONDS

    def tell(self, text: str) -> None:
        """A line at once."""
        click.echo(text, err=True)

    def show(self, doing: str, read_bytes: int) -> None:  # noqa: ARG002 - a line says it in words
        """A line now and then."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            self.tell(doing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to take away."""


class Drawn:
    """A bar, where the size of the input is known; it goes when all is done."""

    def __init__(self, total_bytes: int | None) -> None:
        from rich.console import Console  # noqa: PLC0415 - only for what is drawn
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
        if total_bytes:
            columns += [BarColumn(), TaskProgressColumn()]
        self._progress = Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
        self._task = self._progress.add_task("", total=total_bytes)

    def tell(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def show(self, doing: str, read_bytes: int) -> None:
        """The bar, and the words beside it."""
        self._progress.update(self._task, description=doing, completed=read_bytes)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def gauge(total_bytes: int | None) -> Gauge:
    """The one that suits the standard error; `total_bytes` is None for a pipe."""
    return Drawn(total_bytes) if sys.stderr.isatty() else Plain()
