"""What a lane needs from the worker, as plain data."""

from typing import NamedTuple

from intercomd_daemon.deliver.intercom.messages import Request
from intercomd_daemon.spool.base import Settlement


class Send(NamedTuple):
    """Make this call and hand its classification to the lane."""

    request: Request
    traceparents: tuple[str, ...] = ()
    """The trace contexts of its envelopes, those that have one."""


class Settle(NamedTuple):
    """Commit this before the lane's next action."""

    settlement: Settlement


class ReadAttributes(NamedTuple):
    """Fetch the list of attributes before the lane's next action."""


class CreateAttribute(NamedTuple):
    """Create this attribute, or record that Intercom refused it, before the lane's next action."""

    name: str
    data_type: str


class Idle(NamedTuple):
    """The lane has no envelope in memory."""


NextAction = Send | Settle | ReadAttributes | CreateAttribute | Idle


class AfterResponse(NamedTuple):
    """What follows a response: what to commit before the lane's next call, and whether the lane must back off."""

    settlement: Settlement | None = None
    back_off: bool = False
