"""What a lane and its operation kinds exchange, as plain data: the next call, and what follows from a response."""

from typing import NamedTuple

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.messages import Request
from intercomd_daemon.deliver.lane.actions import CreateAttribute, ReadAttributes
from intercomd_daemon.deliver.lane.attribute_catalog import AttributeCatalog
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.outcome import OutcomeType

DRY_RUN = "DRY_RUN"


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


class Ungroup(NamedTuple):
    """Intercom refused a call for several envelopes: each makes its own call."""


class SaveContact(NamedTuple):
    """The contact was written; the operation still needs another call."""


class Ended(NamedTuple):
    """The operation has ended, for all envelopes of the flight."""

    type: OutcomeType
    reason: str = ""
    contact_changed: bool = False
    """Whether the contact cache must be written."""


NextStep = Replan | BackOff | Ungroup | SaveContact | Ended
"""What follows from a response."""
