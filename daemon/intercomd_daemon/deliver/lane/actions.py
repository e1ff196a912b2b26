"""What a lane exchanges with the worker and with its operation kinds, as plain data.

`Lane.next` returns a `NextAction` to the worker, `Lane.on_response` an `AfterResponse`. Of the kind of an operation
the lane gets a `Plan`, and for a response a `NextStep`.
"""

from typing import NamedTuple

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.messages import Request
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.outcome import OutcomeType
from intercomd_daemon.spool.rows import Settlement

DRY_RUN = "DRY_RUN"
"""The reason of calls that a dry run does not make."""


class Send(msgspec.Struct, frozen=True, gc=False):
    """Make this call and hand its classification to the lane."""

    request: Request
    traceparents: tuple[str, ...] = ()
    """The trace contexts of its envelopes, those that have one."""


class Settle(msgspec.Struct, frozen=True, gc=False):
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


class AfterResponse(msgspec.Struct, frozen=True, gc=False):
    """What follows a response: what to commit before the lane's next call, and whether the lane must back off."""

    settlement: Settlement | None = None
    back_off: bool = False


class LaneContext:
    """What all operations of a lane share. Only the lane replaces the contact."""

    __slots__ = ("catalog", "contact", "key", "settings", "unavailable")

    def __init__(
        self,
        key: str,
        contact: Contact,
        settings: ConnectionSettings,
        catalog: AttributeCatalog,
        unavailable: UnavailableContacts,
    ) -> None:
        self.key = key
        self.contact = contact
        self.settings = settings
        self.catalog = catalog
        self.unavailable = unavailable


class Flight(msgspec.Struct, eq=False):
    """A call in flight, and the envelopes whose next operation it performs. Kinds of calls are subclasses."""

    request: Request
    group: list[PendingEnvelope]


class NoCall(NamedTuple):
    """The next operation of these envelopes ends without a call."""

    group: list[PendingEnvelope]
    type: OutcomeType
    reason: str = ""
    contact_changed: bool = False


Plan = Flight | ReadAttributes | CreateAttribute | NoCall
"""What an operation needs next."""


class Replan(NamedTuple):
    """The operation needs another call, at once."""


class BackOff(NamedTuple):
    """The operation needs another call, after a pause."""


class SaveContact(NamedTuple):
    """The contact was written; the operation still needs another call."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The operation has ended, for all envelopes of the flight."""

    type: OutcomeType
    reason: str = ""
    contact_changed: bool = False
    """Whether the contact cache must be written."""


NextStep = Replan | BackOff | SaveContact | Ended
"""What follows from a response."""
