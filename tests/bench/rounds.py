"""Measures a row: intercomd and its limit alternate, after a warm-up that does not count; gives median and spread.

They alternate so that other work on the machine affects both: a ratio compares runs of the same minutes.
"""

from collections.abc import Callable, Sequence
from math import comb
from statistics import median, quantiles
from typing import NamedTuple

Run = Callable[[], float]


class Measured(NamedTuple):
    """The figure of several rounds."""

    median: float
    spread: float
    """Half the distance between the quartiles, as a share of the median."""

    def __str__(self) -> str:
        return f"{written(self.median)} ± {self.spread:.0%}" if self.spread else written(self.median)


def written(figure: float) -> str:
    """Returns a figure with its significant digits."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def measured(figures: Sequence[float]) -> Measured:
    """Returns the median and the spread of the rounds."""
    middle = median(figures)
    if len(figures) < 2 or not middle:
        return Measured(middle, 0.0)
    lower, _, upper = quantiles(figures, n=4)
    return Measured(middle, (upper - lower) / 2 / middle)


def alternate(rounds: int, *runs: Run) -> list[Measured]:
    """Returns each run's figure: one warm-up of each, then `rounds` rounds, every other one in reverse order."""
    return [measured(of_run) for of_run in alternated(rounds, *runs)]


def alternated(rounds: int, *runs: Run) -> list[list[float]]:
    """Returns each run's figures by round, measured as by `alternate`."""
    for run in runs:
        run()
    figures: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        order = range(len(runs)) if number % 2 == 0 else reversed(range(len(runs)))
        for place in order:
            figures[place].append(runs[place]())
    return figures


class Compared(NamedTuple):
    """How much more a run's figures are than another's of the same rounds, as a share."""

    more: float
    """The median of the rounds."""
    least: float
    most: float
    """The 90 % confidence interval of the median, from `least` to `most`, whatever the distribution of the rounds."""

    def __str__(self) -> str:
        return f"{self.more:+.0%} ({self.least:+.0%} to {self.most:+.0%})"


def compared(figures: Sequence[float], others: Sequence[float]) -> Compared:
    """Compares the figures of each round."""
    ratios = sorted(figure / other - 1 for figure, other in zip(figures, others, strict=True))
    place, below = 0, 0
    # Each round is as likely below the true median as above it: order statistics bound it.
    while (below := below + comb(len(ratios), place)) <= 0.05 * 2 ** len(ratios):
        place += 1
    outer = max(place - 1, 0)
    return Compared(median(ratios), ratios[outer], ratios[-1 - outer])


class Line(NamedTuple):
    """One line of the table."""

    what: str
    ours: str
    limit: str
    ratio: str
    must: str
    holds: bool | None
    """None: there is no target."""


def line(what: str, unit: str, ours: Measured, limit: Measured, least: float | None) -> Line:
    """Returns the line of a rate, its limit, and the share of it that is the target; None: there is no target."""
    ratio = ours.median / limit.median
    target, met = ("", None) if least is None else (f">= {least}", ratio >= least)
    return Line(what, f"{ours} {unit}", f"{limit} {unit}", f"{ratio:.2f}", target, met)
