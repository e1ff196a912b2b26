"""Counts and spreads, as Prometheus' families have them."""

from prometheus_client.core import Metric

from intercomd_daemon.telemetry.instruments import Counter, Histogram


def samples(metric: Metric) -> dict[tuple[str, str], float]:
    return {(sample.name, ",".join(sample.labels.values())): sample.value for sample in metric.samples}


def test_counter_counts_by_label_values() -> None:
    tally = Counter("things", "Things.", ("kind",))
    tally.add(("a",))
    tally.add(("a",), 2)
    tally.add(("b",))
    assert samples(tally.family()) == {("things_total", "a"): 3.0, ("things_total", "b"): 1.0}


def test_counter_without_labels_starts_at_zero() -> None:
    tally = Counter("things", "Things.", ())
    assert samples(tally.family()) == {("things_total", ""): 0.0}
    tally.add((), 5)
    assert samples(tally.family()) == {("things_total", ""): 5.0}


def test_histogram_counts_up_to_each_bound() -> None:
    spread = Histogram("seconds", "Seconds.", ("call",), (0.1, 1.0))
    for measured in (0.05, 0.1, 0.5, 3.0):
        spread.add(("a",), measured)
    assert samples(spread.family()) == {
        ("seconds_bucket", "a,0.1"): 2,
        ("seconds_bucket", "a,1.0"): 3,
        ("seconds_bucket", "a,+Inf"): 4,
        ("seconds_count", "a"): 4,
        ("seconds_sum", "a"): 3.65,
    }
