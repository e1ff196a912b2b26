"""The results of operation kinds, as plain data."""

from intercomd_daemon.deliver.lane.operation import Ended, NoCall
from intercomd_daemon.outcome import OutcomeType


def test_ends_of_operations_leave_the_contact_cache_alone_by_default() -> None:
    assert Ended(OutcomeType.DELIVERED) == (OutcomeType.DELIVERED, "", False)
    assert NoCall([], OutcomeType.UNCHANGED) == ([], OutcomeType.UNCHANGED, "", False)
