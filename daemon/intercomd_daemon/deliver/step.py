"""What a lane asks of those who may await: its commands, as plain data, and the rules that it decides by."""

from typing import NamedTuple

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.exchange import Request
from intercomd_daemon.deliver.merge import MergeRules
from intercomd_daemon.spool.base import Settlement


class Rules(msgspec.Struct, frozen=True):
    """The settings of a connection that decide what a lane does."""

    connection: str
    merge: MergeRules = MergeRules()
    unarchive: bool = False
    event_age_max_seconds: float = 0.0


def rules_of(settings: ConnectionSettings) -> Rules:
    """What of a connection's settings a lane decides by."""
    return Rules(
        connection=settings.name,
        merge=MergeRules(
            update_email=settings.update_email,
            unchanged_for_seconds=settings.unchanged_for_seconds,
            user_attributes_max=settings.limits.user_attributes_max,
            owner_id_is_text=settings.owner_id_is_text,
        ),
        unarchive=settings.unarchive,
        event_age_max_seconds=settings.event_age_max_seconds,
    )


class Send(NamedTuple):
    """Make this call, and tell the lane how it was judged."""

    request: Request


class Settle(NamedTuple):
    """Commit this; then ask the lane again."""

    settlement: Settlement


class ReadAttributes(NamedTuple):
    """The list of attributes must be fetched; then ask the lane again."""


class CreateAttribute(NamedTuple):
    """This attribute must be created, or its creation refused; then ask the lane again."""

    name: str
    data_type: str


class Rest(NamedTuple):
    """Nothing waits in this lane."""


Step = Send | Settle | ReadAttributes | CreateAttribute | Rest


class After(NamedTuple):
    """What follows an answer: what to commit before the lane's next call, and whether the lane must wait by itself."""

    settlement: Settlement | None = None
    back_off: bool = False
