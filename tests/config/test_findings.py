"""Findings are lines with the key, where it was written, and what is wrong."""

from intercomd_daemon.config.findings import SettingFindings


def test_finding_names_the_key_and_its_origin() -> None:
    findings = SettingFindings()
    findings.problem("log.level", "intercomd.toml", "wrong; fix it")
    findings.warn("log.values", "INTERCOMD_LOG_VALUES", "odd")
    assert findings.problems == ["log.level (intercomd.toml): wrong; fix it"]
    assert findings.warnings == ["log.values (INTERCOMD_LOG_VALUES): odd"]
