"""An outcome in one line for a person. Pure; it knows the contract's messages alone."""

from types import MappingProxyType

from intercomd.v1 import outcome_pb2
from intercomd_daemon.cli.words import moment, plain

NAMES = MappingProxyType(
    {
        outcome_pb2.OUTCOME_TYPE_DELIVERED: "delivered",
        outcome_pb2.OUTCOME_TYPE_UNCHANGED: "unchanged",
        outcome_pb2.OUTCOME_TYPE_SKIPPED: "skipped",
        outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: "dead-lettered",
        outcome_pb2.OUTCOME_TYPE_DISCARDED: "discarded",
        outcome_pb2.OUTCOME_TYPE_ERASED: "erased",
    }
)
"""The ends of an envelope, as the command line writes them."""
COLOURS = MappingProxyType(
    {
        outcome_pb2.OUTCOME_TYPE_DELIVERED: "green",
        outcome_pb2.OUTCOME_TYPE_UNCHANGED: "cyan",
        outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED: "red",
    }
)
"""On a terminal; the others stay as they are."""


def name_of(end: outcome_pb2.OutcomeType.ValueType) -> str:
    """`delivered`; one of a later version by its number."""
    return NAMES.get(end, f"type-{end}")


def who(outcome: outcome_pb2.Outcome) -> str:
    """The person whom it is about."""
    return plain(outcome.identity.customer_id or outcome.identity.email)


def what(outcome: outcome_pb2.Outcome) -> str:
    """What the envelope's calls were to do: `contact, event order-placed`."""
    events = [plain(effect.event_name) for effect in outcome.effects if effect.kind == outcome_pb2.EFFECT_KIND_EVENT]
    parts = ["contact"] if len(events) < len(outcome.effects) else []
    if events:
        parts.append(f"event {events[0]}" + (f" and {len(events) - 1:,} more" if events[1:] else ""))
    return ", ".join(parts) or "nothing to call"


def why(outcome: outcome_pb2.Outcome) -> str:
    """The reasons of the outcome and of its refused calls, each once, with Intercom's status."""
    refused = outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED
    reasons = [outcome.reason]
    for effect in outcome.effects:
        if effect.type == refused:
            reasons.append(effect.reason)
            reasons.append(f"status {effect.http_status}" if effect.http_status else "")
    return " ".join(dict.fromkeys(reason for reason in reasons if reason))


def line_of(outcome: outcome_pb2.Outcome) -> tuple[str, str, str]:
    """The line in three parts, the middle one being how it ended, for those who colour it."""
    replay = f" replay {outcome.replay}" if outcome.replay else ""
    reason = why(outcome)
    rest = f"{who(outcome)}  {what(outcome)}{'  ' + reason if reason else ''}"
    return (
        f"{moment(outcome.end_time)}  {plain(outcome.connection)}  ",
        f"{name_of(outcome.type):<13}",
        f"  {rest}  {plain(outcome.envelope_id)}{replay}",
    )
