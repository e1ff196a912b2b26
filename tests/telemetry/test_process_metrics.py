"""The metrics of the process, against those of Prometheus' Python client."""

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from intercomd_daemon.telemetry.exposition import text_of
from intercomd_daemon.telemetry.process_metrics import process_families


def test_process_metrics_are_those_of_prometheus() -> None:
    theirs = {family.name: family for family in ProcessCollector(registry=CollectorRegistry()).collect()}
    ours = {family.name: family for family in text_string_to_metric_families(text_of(process_families()))}
    assert {name: (family.type, family.documentation) for name, family in ours.items()} == {
        name: (family.type, family.documentation) for name, family in theirs.items()
    }
    values = {name: (family.samples[0].value, theirs[name].samples[0].value) for name, family in ours.items()}
    assert all(0 < mine < 1.1 * other and other < 1.1 * mine for mine, other in values.values()), values
