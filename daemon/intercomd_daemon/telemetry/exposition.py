"""Families of metrics, and Prometheus' text format of them.

The format is small, and the Python client of Prometheus would take 1.3 MiB of every daemon: its collectors, and the web
servers of the standard library. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# "label_value can be any sequence of UTF-8 characters, but the backslash (\), double-quote ("), and line feed (\n)
# characters have to be escaped as \\, \", and \n, respectively."
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
# Of a HELP line's text: "the backslash and the line feed characters have to be escaped as \\ and \n, respectively."
_ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Sample(NamedTuple):
    """One value of a family."""

    name: str
    labels: Mapping[str, str]
    value: float


class Family:
    """A metric: its samples, one for each combination of label values, and of a histogram several."""

    def __init__(
        self,
        kind: Literal["counter", "gauge", "histogram"],
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        value: float | None = None,
    ) -> None:
        """The name of a counter ends in `_total`. `value` is the one sample of a family without labels."""
        self.kind = kind
        self.name = name
        self.documentation = documentation
        self.samples: list[Sample] = []
        self._labels = tuple(labels)
        if value is not None:
            self.add((), value)

    def add(self, values: Sequence[str], value: float) -> None:
        """Adds a sample; `values` are the label values, in the order of the labels."""
        self.samples.append(Sample(self.name, dict(zip(self._labels, values, strict=True)), value))

    def add_histogram(self, values: Sequence[str], buckets: Iterable[tuple[str, int]], total: float) -> None:
        """Adds the samples of a histogram: its buckets, each a bound and the count up to it, and `total`, the sum."""
        labels = dict(zip(self._labels, values, strict=True))
        count = 0
        for bound, count in buckets:
            self.samples.append(Sample(f"{self.name}_bucket", labels | {"le": bound}, count))
        self.samples.append(Sample(f"{self.name}_count", labels, count))
        self.samples.append(Sample(f"{self.name}_sum", labels, total))


def text_of(families: Iterable[Family]) -> str:
    """Returns the families in Prometheus' text format."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.documentation.translate(_ESCAPED_HELP)}\n")
        lines.append(f"# TYPE {family.name} {family.kind}\n")
        lines += map(_line, family.samples)
    return "".join(lines)


def _line(sample: Sample) -> str:
    labels = ",".join([f'{name}="{value.translate(_ESCAPED)}"' for name, value in sorted(sample.labels.items())])
    # "value is a float represented as required by Go's ParseFloat() function", which reads Python's notation.
    return f"{sample.name}{f'{{{labels}}}' if labels else ''} {float(sample.value)!r}\n"
