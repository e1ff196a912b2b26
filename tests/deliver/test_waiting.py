"""The reasons for waiting are those of the registry."""

from intercomd_daemon.deliver.waiting import GIVEN_UP, WaitingReason
from intercomd_daemon.reasons import REASONS, Kind


def test_waiting_reasons_are_the_registered_ones() -> None:
    registered = {reason.code for reason in REASONS if reason.kind is Kind.WAITING}
    assert {str(reason) for reason in WaitingReason} == registered


def test_reason_of_an_envelope_given_up_is_registered() -> None:
    assert GIVEN_UP in {reason.code for reason in REASONS if reason.kind is Kind.DEAD_LETTER}
