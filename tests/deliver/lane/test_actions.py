"""What a lane exchanges with the worker and its operation kinds, as plain data."""

from intercomd_daemon.deliver.lane.actions import AfterResponse, Ended, NoCall
from intercomd_daemon.outcome import OutcomeType


def test_after_response_has_no_commit_and_no_pause_by_default() -> None:
    assert AfterResponse() == AfterResponse(None, back_off=False)


def test_ends_of_operations_leave_the_contact_cache_alone_by_default() -> None:
    assert Ended(OutcomeType.DELIVERED) == Ended(OutcomeType.DELIVERED, "", contact_changed=False)
    assert NoCall([], OutcomeType.UNCHANGED) == ([], OutcomeType.UNCHANGED, "", False)
