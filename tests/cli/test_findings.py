"""What a check finds."""

from intercomd_daemon.cli.preflight import Finding, Level


def test_a_finding_is_told_to_scripts_in_words() -> None:
    finding = Finding(Level.WRONG, "spool", "no such folder")
    assert finding.as_json() == {"level": "wrong", "subject": "spool", "message": "no such folder"}
