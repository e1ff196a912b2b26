"""How a row measures: ours and its limit take turns, after a warm-up that does not count; the median and its spread.

Turns, since other work on the machine then hits both: a ratio is of what ran side by side.
"""

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import NamedTuple

Run = Callable[[], float]


class Measured(NamedTuple):
    """One figure of several rounds."""

    median: float
    spread: float
    """Half the distance between the quartiles, as a share of the median."""

    def __str__(self) -> str:
        return f"{written(self.median)} ± {self.spread:.0%}" if self.spread else written(self.median)


def written(figure: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def measured(figures: Sequence[float]) -> Measured:
    """The median of the rounds, and how far they lie apart."""
    middle = median(figures)
    if len(figures) < 2 or not middle:
        return Measured(middle, 0.0)
    lower, _, upper = quantiles(figures, n=4)
    return Measured(middle, (upper - lower) / 2 / middle)


def alternate(rounds: int, *runs: Run) -> list[Measured]:
    """Each run's figure: one warm-up of each, then so many rounds in turns, every other one in reverse order."""
    for run in runs:
        run()
    figures: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        order = range(len(runs)) if number % 2 == 0 else reversed(range(len(runs)))
        for place in order:
            figures[place].append(runs[place]())
    return [measured(of_run) for of_run in figures]


class Line(NamedTuple):
    """One line of the table."""

    what: str
    ours: str
    limit: str
    ratio: str
    must: str
    holds: bool | None
    """None: nothing is asked of it."""


def line(what: str, unit: str, ours: Measured, limit: Measured, least: float) -> Line:
    """A rate beside its limit, of which it must reach a share."""
    ratio = ours.median / limit.median
    return Line(what, f"{ours} {unit}", f"{limit} {unit}", f"{ratio:.2f}", f">= {least}", ratio >= least)
