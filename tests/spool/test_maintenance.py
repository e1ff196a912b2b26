import pytest

from intercomd_daemon.spool.maintenance import LISTED_MAX, Damage, DamageReport


@pytest.mark.fills("spool.maintenance.LISTED_MAX")
def test_damages_are_listed_up_to_a_bound_and_counted_beyond() -> None:
    findings = DamageReport()
    for key in range(LISTED_MAX + 3):
        findings.add(Damage("log", key, "", "the checksum does not match"))
    assert (len(findings.damages), findings.count) == (LISTED_MAX, LISTED_MAX + 3)
    assert findings.damages[-1].key == LISTED_MAX - 1
