"""What is reported of appends that are refused."""

import pytest

from intercomd_daemon.spool.postgresql.intake_state import IntakeState


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([(0.0, "")], []),
        ([(0.0, "full"), (0.1, "full"), (5.0, "other")], ["full"]),
        ([(0.0, "full"), (0.1, ""), (0.2, "")], ["full", ""]),
        ([(0.0, "full"), (0.1, ""), (0.5, "full"), (0.6, ""), (1.0, "full")], ["full", "", "full"]),
        ([(0.0, "full"), (0.1, ""), (0.5, "full"), (1.5, "full")], ["full", "", "full"]),
    ],
    ids=["accepted", "refused", "accepted again", "on the brink", "soon refused again"],
)
def test_changes_are_reported_once_a_second_at_most(happened: list[tuple[float, str]], expected: list[str]) -> None:
    reports: list[str] = []
    now = 0.0
    state = IntakeState(reports.append, lambda: now)
    for now, reason in happened:  # noqa: B007 - read by the clock
        if reason:
            state.refused(reason)
        else:
            state.accepted()
    assert reports == expected


def test_absence_of_the_database_is_reported() -> None:
    reports: list[str] = []
    state = IntakeState(reports.append, lambda: 0.0)
    state.on_away("no answer in time")
    state.on_away("")
    assert reports == ["the database is away: no answer in time", ""]


@pytest.mark.parametrize("before", ["full", "the database is away: no answer in time"])
def test_absence_soon_after_another_report_is_reported_as_well(before: str) -> None:
    """The session reports an absence only once, however long it lasts."""
    reports: list[str] = []
    state = IntakeState(reports.append, lambda: 0.0)
    if before == "full":
        state.refused(before)
        state.accepted()
    else:
        state.on_away("no answer in time")
        state.on_away("")
    state.on_away("connection refused")
    assert reports == [before, "", "the database is away: connection refused"]
