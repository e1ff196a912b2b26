"""Findings are collected up to a limit; further adjustments are counted."""

import pytest

from intercomd.v1.ingest_pb2 import Disposition as Wire
from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Disposition, Findings
from intercomd_daemon.ingest.limits import FINDINGS_MAX


def test_findings_start_with_those_of_decoding() -> None:
    found = Findings((Finding("A", "a", "m"),), (Finding("B", "b", "m"),))
    found.reject("C", "c", "m")
    found.adjust("D", "d", "m")
    assert [finding.reason for finding in found.violations] == ["A", "C"]
    assert [finding.reason for finding in found.adjustments] == ["B", "D"]


@pytest.mark.fills("ingest.limits.FINDINGS_MAX")
def test_findings_stop_at_the_limit_and_count_further_adjustments() -> None:
    found = Findings()
    for index in range(FINDINGS_MAX + 3):
        found.reject("A", str(index), "m")
        found.adjust("B", str(index), "m")
    assert len(found.violations) == len(found.adjustments) == FINDINGS_MAX
    assert found.adjustments_omitted == 3


def test_disposition_has_the_numbers_of_the_proto() -> None:
    assert {f"DISPOSITION_{each.name}": int(each) for each in Disposition} | {"DISPOSITION_UNSPECIFIED": 0} == dict(
        Wire.items()
    )
