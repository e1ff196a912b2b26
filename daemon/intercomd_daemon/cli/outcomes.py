"""Formats outcomes for people, and follows the journal of outcomes across restarts of the daemon."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from types import MappingProxyType

import click
import grpc

from intercomd.retry import TRANSIENT
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1 import outcome_pb2
from intercomd.v1.identity_pb2 import Identity
from intercomd_daemon.cli.format import printable, timestamp
from intercomd_daemon.cli.remote import CALL_SECONDS, Operations

RETRY_SECONDS = 0.5
"""Interval of attempts to reach a daemon that has gone away; a restart takes about a second."""
_EVENT_CHARACTERS_MAX = 80
"""Longer event names are cut; Intercom's limit is 255 characters."""
TYPE_NAMES = MappingProxyType(
    {
        outcome_pb2.OUTCOME_TYPE_DELIVERED: "delivered",
        outcome_pb2.OUTCOME_TYPE_UNCHANGED: "unchanged",
        outcome_pb2.OUTCOME_TYPE_SKIPPED: "skipped",
        outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: "dead-lettered",
        outcome_pb2.OUTCOME_TYPE_DISCARDED: "discarded",
        outcome_pb2.OUTCOME_TYPE_ERASED: "erased",
        outcome_pb2.OUTCOME_TYPE_FORWARDED: "forwarded",
    }
)
COLOURS = MappingProxyType(
    {
        outcome_pb2.OUTCOME_TYPE_DELIVERED: "green",
        outcome_pb2.OUTCOME_TYPE_UNCHANGED: "cyan",
        outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: "red",
    }
)
"""Colours of outcome types on a terminal."""


def type_name(number: outcome_pb2.OutcomeType.ValueType) -> str:
    """Returns `delivered`, for example; `type-7` for a type of a later version."""
    return TYPE_NAMES.get(number, f"type-{number}")


def user_of(identity: Identity) -> str:
    """Returns the customer id, or the email of a user without one: whole, so that it can be copied."""
    return printable(identity.customer_id or identity.email, characters_max=None)


def decisive_effects(outcome: outcome_pb2.Outcome) -> Sequence[outcome_pb2.Effect]:
    """Returns the effects of the calls that decided the outcome: the refused ones of a dead letter, for example.

    All effects, if none has the type of the outcome.
    """
    decisive = outcome.type
    if decisive == outcome_pb2.OUTCOME_TYPE_DISCARDED:
        decisive = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    return [effect for effect in outcome.effects if effect.type == decisive] or outcome.effects


def has_response(outcome: outcome_pb2.Outcome) -> bool:
    """Whether Intercom responded to the calls that decided the outcome; an envelope may expire before its call."""
    return any(effect.http_status for effect in decisive_effects(outcome))


def calls_of(outcome: outcome_pb2.Outcome) -> str:
    """Returns the calls that decided the outcome: `contact, event order-placed`; of a dead letter the refused ones.

    Empty if a gateway took or refused the envelope: it makes the calls.
    """
    if outcome.violations or outcome.type == outcome_pb2.OUTCOME_TYPE_FORWARDED:
        return ""
    effects = decisive_effects(outcome)
    events = [
        printable(effect.event_name, _EVENT_CHARACTERS_MAX)
        for effect in effects
        if effect.kind == outcome_pb2.EFFECT_KIND_EVENT
    ]
    parts = ["contact"] if len(events) < len(effects) else []
    if events:
        parts.append(f"event {events[0]}".rstrip() + (f" and {len(events) - 1:,} more" if events[1:] else ""))
    return ", ".join(parts) or "no call"


def reasons_of(outcome: outcome_pb2.Outcome) -> str:
    """Returns the reasons of the outcome and of its refused calls, each once, with Intercom's status."""
    reasons = [outcome.reason]
    for effect in outcome.effects:
        if effect.type == outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED:
            reasons.append(effect.reason)
            reasons.append(f"status {effect.http_status}" if effect.http_status else "")
    return printable(" ".join(dict.fromkeys(reason for reason in reasons if reason)))


def outcome_fields(outcome: outcome_pb2.Outcome) -> list[str]:
    """Returns the fields of an outcome's line, the type in its colour."""
    fields = [
        timestamp(outcome.end_time),
        printable(outcome.connection),
        click.style(f"{type_name(outcome.type):<13}", fg=COLOURS.get(outcome.type)),
        user_of(outcome.identity),
        calls_of(outcome),
        reasons_of(outcome),
        printable(outcome.envelope_id, characters_max=None),
        f"replay {outcome.replay}" if outcome.replay else "",
    ]
    return [field for field in fields if field]


async def newest_sequence(stub: Operations) -> int:
    """Returns the sequence of the newest outcome, 0 if there is none."""
    listed = await stub.ListOutcomes(messages.ListOutcomesRequest(page_size=1), timeout=CALL_SECONDS)
    return listed.outcomes[0].sequence if listed.outcomes else 0


async def follow(
    stub: Operations,
    wanted: messages.OutcomeFilter,
    after: int,
    patience_seconds: float,
    notify: Callable[[str], None],
) -> AsyncGenerator[messages.WatchOutcomesResponse, None]:
    """Yields outcomes as they are committed, and how many were missed. Reconnects without a gap; never ends by itself.

    Args:
        stub: the daemon.
        wanted: which outcomes.
        after: the sequence to continue after; 0: from the oldest in the journal.
        patience_seconds: how long to wait for a daemon that has gone away.
        notify: called with a line for a person when the daemon has gone away.

    Raises:
        grpc.aio.AioRpcError: the daemon refused the call, or was away for too long.
    """
    gone_since = None
    loop = asyncio.get_running_loop()
    while True:
        call = stub.WatchOutcomes(messages.WatchOutcomesRequest(filter=wanted, after_sequence=after))
        try:
            async for response in call:
                after = response.outcome.sequence or after + response.missed_count
                yield response
                gone_since = None
        except grpc.aio.AioRpcError as error:
            if error.code() not in TRANSIENT:
                raise
            if gone_since is None:
                gone_since = loop.time()
                notify("the daemon has gone away; waiting for it")
            if loop.time() - gone_since >= patience_seconds:
                raise
        finally:
            call.cancel()
        await asyncio.sleep(RETRY_SECONDS)
