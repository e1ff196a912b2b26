"""Findings about attributes name the limit and the fix."""

from collections.abc import Callable

import pytest

from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.attributes import check_name, reject_excess, report_duplicate, report_excess
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.names import attribute_name

Brief = Callable[[list[Finding]], list[tuple[str, str]]]


@pytest.mark.parametrize(
    ("given", "kept", "violations", "adjustments"),
    [
        ("plan", True, [], []),
        ("Mobile", True, [], []),
        ("a.b", True, [], [("ATTRIBUTE_RENAMED", "user_attributes[0]")]),
        ("Email", False, [], [("ATTRIBUTE_DROPPED", "user_attributes[0]")]),
        (" $ ", False, [("INVALID_ATTRIBUTE_NAME", "user_attributes[0]")], []),
    ],
)
def test_check_name_drops_identity_and_rejects_empty_names(
    given: str,
    kept: bool,
    violations: list[tuple[str, str]],
    adjustments: list[tuple[str, str]],
    found: Findings,
    brief: Brief,
) -> None:
    assert check_name(attribute_name(given), given, "user_attributes[0]", found) is kept
    assert (brief(found.violations), brief(found.adjustments)) == (violations, adjustments)


def test_messages_name_the_limit_and_its_setting(found: Findings) -> None:
    report_excess("seats", "a[5]", 5, "limits.event_attributes_max", found)
    report_duplicate("plan", "a[1]", found)
    reject_excess("a", 2, 5, "limits.event_attributes_max", found)
    excess, repeated = found.adjustments
    assert "5" in excess.message
    assert '"seats"' in excess.message
    assert "limits.event_attributes_max" in excess.message
    assert '"plan"' in repeated.message
    assert "2 too many" in found.violations[0].message
