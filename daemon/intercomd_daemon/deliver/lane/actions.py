"""What a lane asks the worker to do, as plain data."""

from enum import Enum, auto
from typing import NamedTuple

from intercomd_daemon.deliver.intercom.messages import Request
from intercomd_daemon.spool.base import Settlement


class Send(NamedTuple):
    """Make this call and hand its classification to the lane."""

    request: Request


class Settle(NamedTuple):
    """Commit this; then ask the lane again."""

    settlement: Settlement


class ReadAttributes(NamedTuple):
    """Fetch the list of attributes, then ask the lane again."""


class CreateAttribute(NamedTuple):
    """Create this attribute, or note that Intercom refused it; then ask the lane again."""

    name: str
    data_type: str


class Idle(NamedTuple):
    """No envelope is pending in this lane."""


NextAction = Send | Settle | ReadAttributes | CreateAttribute | Idle


class AfterResponse(NamedTuple):
    """What follows a response: what to commit before the lane's next call, and whether the lane must back off."""

    settlement: Settlement | None = None
    back_off: bool = False


class Retry(Enum):
    """Whether to call again after a response that did not do what the call was for."""

    NOW = auto()
    LATER = auto()
    """After a pause."""
    NEVER = auto()
    """The call is refused for good."""
