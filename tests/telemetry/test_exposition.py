"""The text format, as Prometheus' own parser reads it."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from intercomd_daemon.telemetry.exposition import Family, text_of

Read = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(*families: Family) -> Read:
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text_of(families))
        for sample in family.samples
    }


def test_every_kind_is_read_as_it_was_written() -> None:
    counter = Family("counter", "calls_total", "Calls.", ("name", "code"))
    counter.add(("a", "OK"), 3)
    histogram = Family("histogram", "seconds", "Seconds.", ("name",))
    histogram.add_histogram(("a",), [("0.5", 1), ("+Inf", 4)], 7.25)
    assert read(counter, Family("gauge", "up", "Up.", value=True), histogram) == {
        ("calls_total", (("code", "OK"), ("name", "a"))): 3,
        ("up", ()): 1,
        ("seconds_bucket", (("le", "0.5"), ("name", "a"))): 1,
        ("seconds_bucket", (("le", "+Inf"), ("name", "a"))): 4,
        ("seconds_count", (("name", "a"),)): 4,
        ("seconds_sum", (("name", "a"),)): 7.25,
    }


@pytest.mark.parametrize("value", ['say "x"', "back\\slash", "line\nfeed", "\\n", "ümlaut", ""])
def test_label_values_may_be_any_text(value: str) -> None:
    family = Family("gauge", "things", "Things.", ("label",))
    family.add((value,), 1)
    assert read(family) == {("things", (("label", value),)): 1}


def test_documentation_may_be_any_text() -> None:
    (family,) = text_string_to_metric_families(text_of([Family("gauge", "a", 'A "b" \\ c\nd.', value=0)]))
    assert family.documentation == 'A "b" \\ c\nd.'


@pytest.mark.parametrize("value", [0, 1e9, 1e-9, 123456789.123, 2**60, -1, math.inf, True])
def test_values_are_read_exactly(value: float) -> None:
    assert read(Family("gauge", "a", "A.", value=value)) == {("a", ()): value}


def test_values_have_to_match_the_labels() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        Family("gauge", "a", "A.", ("one", "two")).add(("1",), 1)
