"""What a lane asks for."""

from intercomd_daemon.deliver.lane.actions import AfterResponse


def test_after_a_response_nothing_is_committed_and_no_pause_made_by_default() -> None:
    assert AfterResponse() == (None, False)
