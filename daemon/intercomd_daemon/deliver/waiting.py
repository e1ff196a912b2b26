"""Why accepted envelopes wait, and what ends one by hand: the reasons that the trail and outcomes give."""

from enum import StrEnum

GIVEN_UP = "GIVEN_UP"
"""The reason of the dead letter of an envelope that an operator gave up."""


class WaitingReason(StrEnum):
    """Why an envelope waits; `reasons.py` has cause and remedy."""

    DOWN = "DOWN"
    INACTIVE = "INACTIVE"
    IN_FLIGHT = "IN_FLIGHT"
    PAUSED = "PAUSED"
    RATE_LIMITED = "RATE_LIMITED"
    RETRYING = "RETRYING"
    SUSPENDED = "SUSPENDED"
    UNCONFIGURED = "UNCONFIGURED"
    VERIFYING = "VERIFYING"
    WAITING_TURN = "WAITING_TURN"
