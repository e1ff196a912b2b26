"""The actions of a lane, as plain data."""

from intercomd_daemon.deliver.lane.actions import AfterResponse


def test_after_response_has_no_commit_and_no_pause_by_default() -> None:
    assert AfterResponse() == (None, False)
