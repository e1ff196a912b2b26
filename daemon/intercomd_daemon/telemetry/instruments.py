"""Counters and histograms with labels. They hold plain numbers: an update costs one dictionary look-up.

`family` converts them to Prometheus families at a scrape.
"""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily


class Counter:
    """A counter with labels."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        """`name` has no `_total`. A counter without labels starts at 0, so that an alert sees its first increase."""
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._counts: dict[tuple[str, ...], int] = {} if labels else {(): 0}

    def declare(self, values: tuple[str, ...]) -> None:
        """Starts these label values at 0: Prometheus cannot see the first increase of a series that starts at 1."""
        self._counts.setdefault(values, 0)

    def add(self, values: tuple[str, ...], count: int = 1) -> None:
        """Adds `count`; `values` are the label values, in the order of the labels."""
        self._counts[values] = self._counts.get(values, 0) + count

    def family(self) -> CounterMetricFamily:
        """Returns the current values."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in list(self._counts.items()):
            family.add_metric(values, count)
        return family


class _Series:
    """The measurements of one combination of label values."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        """The number of measurements in each bucket."""
        self.sum = 0.0


class Histogram:
    """A histogram with labels."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        """`bounds` are the inclusive upper bounds of the buckets, ascending; a bucket without a bound is added."""
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._series: dict[tuple[str, ...], _Series] = {}

    def declare(self, values: tuple[str, ...]) -> "_Series":
        """Starts these label values at 0, if they are new; returns their measurements."""
        return self._series.setdefault(values, _Series(len(self._bounds) + 1))

    def add(self, values: tuple[str, ...], *measured: float) -> None:
        """Adds measurements."""
        series = self._series.get(values) or self.declare(values)
        for each in measured:
            series.counts[bisect_left(self._bounds, each)] += 1
            series.sum += each

    def family(self) -> HistogramMetricFamily:
        """Returns the current values."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        for values, series in list(self._series.items()):
            buckets: list[tuple[str, float]] = []
            total = 0
            for name, count in zip(names, series.counts, strict=True):
                total += count
                buckets.append((name, total))
            family.add_metric(values, buckets, series.sum)
        return family
