"""Answers why an event did or did not arrive, in one sentence that can be sent on."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from intercomd.v1 import outcome_pb2
from intercomd.v1.operations_pb2 import Refusal, TrailEntry, WaitingEnvelope
from intercomd_daemon.cli import trail
from intercomd_daemon.cli.format import printable, quantity, timestamp
from intercomd_daemon.cli.outcomes import calls_of, reasons_of, user_of
from intercomd_daemon.cli.trail import ARRIVED, EnvelopeState

# Why an envelope waits, with {connection}, {status}, {suspension} and {ahead} to fill in. At an agent first the second.
WAITING_CLAUSES = MappingProxyType(
    {
        "DOWN": "Intercom does not answer, or fails for all users of connection {connection}",
        "INACTIVE": "connection {connection} is switched off in the settings",
        "IN_FLIGHT": "the daemon is sending it now",
        "PAUSED": "an operator has paused connection {connection}",
        "RATE_LIMITED": "Intercom's rate limit is used up for the moment",
        "RETRYING": "the last call for this user failed{status}",
        "SUSPENDED": "the access of connection {connection} to Intercom is wrong{suspension}",
        "UNCONFIGURED": "connection {connection} is missing from the settings",
        "VERIFYING": "the daemon is checking the access of connection {connection} to Intercom",
        "WAITING_TURN": "earlier envelopes go first{ahead}",
    }
)
AGENT_CLAUSES = MappingProxyType(
    {
        "DOWN": "the gateway does not take envelopes of connection {connection}",
        "RETRYING": "the last call to the gateway failed",
        "SUSPENDED": "connection {connection} is suspended{suspension}",
        "VERIFYING": "the gateway of connection {connection} has not answered yet",
    }
)
BEHIND_CLAUSE = "the last call for an earlier envelope of this user failed{status}"
# Dead letters that are not refusals of Intercom.
DEAD_CLAUSES = MappingProxyType(
    {
        "EXPIRED": "was not sent, because its events were older than event_age_max,",
        "GIVEN_UP": "was given up by an operator",
        "DAMAGED": "was lost, because its record on disk is corrupt,",
    }
)
# For several envelopes: one, more.
_VERBS = MappingProxyType(
    {
        EnvelopeState.WAITING: ("waits", "wait"),
        EnvelopeState.DEAD_LETTERED: ("became a dead letter", "became dead letters"),
        EnvelopeState.REJECTED: ("was rejected", "were rejected"),
        EnvelopeState.SKIPPED: ("was skipped", "were skipped"),
        EnvelopeState.LEFT_OUT: ("was left out on purpose", "were left out on purpose"),
        EnvelopeState.DISCARDED: ("was discarded by an operator", "were discarded by an operator"),
        EnvelopeState.ERASED: ("was erased with the user", "were erased with the user"),
        EnvelopeState.FORWARDED: ("was forwarded to another daemon", "were forwarded to another daemon"),
        EnvelopeState.UNKNOWN: ("ended in a way unknown to this version", "ended in a way unknown to this version"),
    }
)


def answer(
    identifier: str,
    entries: Sequence[TrailEntry],
    *,
    more: bool = False,
    suspensions: Mapping[str, str] = MappingProxyType({}),
    agents: Collection[str] = (),
) -> str:
    """Returns one sentence about everything that was found.

    Forwarded envelopes are at the gateway, which knows whether Intercom has them.

    Args:
        identifier: what was looked for.
        entries: what was found; at least one.
        more: whether older entries exist, which were not read.
        suspensions: the reasons of suspended connections, by name.
        agents: the names of connections that are forwarded to a gateway.
    """
    current = [entry for entry, over in zip(entries, trail.superseded(entries), strict=True) if not over]
    if len(current) == 1:
        return f"Envelope {_subject(current[0])} {_predicate(current[0], suspensions, agents)}."
    forwarded = any(trail.state_of(entry) is EnvelopeState.FORWARDED for entry in current)
    holder, held = ("The gateway", ARRIVED | {EnvelopeState.FORWARDED}) if forwarded else ("Intercom", ARRIVED)
    missing = [entry for entry in current if trail.state_of(entry) not in held]
    arrived = len(current) - len(missing)
    envelopes = f"{'the newest ' if more else ''}{len(current):,} envelopes of {printable(identifier, None)}"
    if not missing:
        return f"{holder} has {'' if more else 'all '}{envelopes}."
    if len(missing) == 1:
        (entry,) = missing
        last = f"envelope {_subject(entry)} {_predicate(entry, suspensions, agents)}"
        return f"{holder} has {arrived:,} of {envelopes}; {last}."
    return f"{holder} has {f'{arrived:,}' if arrived else 'none'} of {envelopes}: {_counts(missing)}."


def answer_for_both(identifier: str, of_envelope: str, of_user: str) -> str:
    """Returns one sentence of two answers, for an id that an envelope and a user have."""
    first = of_envelope.removesuffix(".").replace("Envelope ", "envelope ", 1)
    return f"{printable(identifier, None)} is the id of an envelope and of a user: {first}; {of_user}"


def not_found(identifier: str) -> str:
    """Returns what it means that the daemon knows nothing."""
    return (
        f"The daemon knows nothing of {printable(identifier, None)}: no envelope of a customer, an email or an envelope"
        " with this id waits, has a kept outcome, or was rejected or skipped lately. Check the spelling, whether the"
        " sender publishes to this daemon, and how long outcomes are kept (spool.outcomes_kept). A killed daemon"
        " forgets what it rejected or skipped since its start; its log has them."
    )


def not_at_gateway(identifier: str) -> str:
    """Returns what it means that the gateway of an agent knows nothing."""
    return (
        f"The gateway knows nothing of {printable(identifier, None)}: no envelope of it was forwarded yet, or too long"
        " ago (spool.outcomes_kept at the gateway)."
    )


def _subject(entry: TrailEntry) -> str:
    content, user = trail.content_of(entry), user_of(trail.identity_of(entry))
    subject = printable(trail.envelope_id_of(entry), None) or "without an id"
    return subject + (f" of {user}" if user else "") + (f" ({content})" if content else "")


def _predicate(entry: TrailEntry, suspensions: Mapping[str, str], agents: Collection[str]) -> str:
    if entry.HasField("waiting"):
        connection = entry.waiting.connection
        return _waits(entry.waiting, suspensions.get(connection, ""), forwards=connection in agents)
    if entry.HasField("refusal"):
        return f"{_VERBS[trail.state_of(entry)][0]} at {timestamp(entry.time)}{_violations(entry.refusal)}"
    return f"{_ended(entry.outcome)} at {timestamp(entry.outcome.end_time)}{_why(entry.outcome)}"


def _waits(waiting: WaitingEnvelope, suspension: str, *, forwards: bool) -> str:
    status = f" with status {waiting.http_status}" if waiting.http_status else ""
    known = BEHIND_CLAUSE if trail.waits_behind(waiting) else WAITING_CLAUSES.get(waiting.reason, "")
    known = AGENT_CLAUSES.get(waiting.reason, known) if forwards else known
    connection, named = printable(waiting.connection), f" ({printable(suspension)})" if suspension else ""
    ahead = f", at most {waiting.ahead:,}" if waiting.ahead else ""
    clause = known.format(connection=connection, status=status, suspension=named, ahead=ahead)
    clause = clause or printable(waiting.reason)
    text = f"has waited since {timestamp(waiting.accept_time)}: {clause}"
    return text + (
        f"; next attempt at {timestamp(waiting.next_attempt_time)}" if waiting.HasField("next_attempt_time") else ""
    )


def _violations(held: Refusal | outcome_pb2.Outcome) -> str:
    if not held.violations:
        return ""
    first, *others = held.violations
    more = f", and {quantity(len(others), 'more violation')}" if others else ""
    return f" ({printable(first.reason)}): {printable(first.message)}{more}"


def _ended(outcome: outcome_pb2.Outcome) -> str:
    match trail.OUTCOME_STATES.get(outcome.type, EnvelopeState.UNKNOWN):
        case EnvelopeState.DELIVERED:
            return "reached Intercom"
        case EnvelopeState.UNCHANGED:
            return "needed no call, because Intercom had its values already,"
        case EnvelopeState.DEAD_LETTERED if outcome.violations:
            return "was rejected by the gateway"
        case EnvelopeState.LEFT_OUT if outcome.violations:
            return "was skipped by the gateway"
        case EnvelopeState.DISCARDED if outcome.violations:
            return "was rejected by the gateway, and discarded by an operator"
        case EnvelopeState.DEAD_LETTERED:
            return DEAD_CLAUSES.get(outcome.reason, "was refused by Intercom")
        case EnvelopeState.DISCARDED:
            return "was refused by Intercom, and discarded by an operator"
        case EnvelopeState.FORWARDED:
            return f"was accepted by the gateway with the spool {printable(outcome.forwarded_to, None)}"
        case state:
            return _VERBS[state][0]


def _why(outcome: outcome_pb2.Outcome) -> str:
    if outcome.violations:
        return _violations(outcome)
    reasons = reasons_of(outcome)
    if not reasons:
        return ""
    refused = outcome.type == outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED and outcome.reason not in DEAD_CLAUSES
    return f": {calls_of(outcome)}, {reasons}" if refused and outcome.effects else f" ({reasons})"


def _counts(entries: Sequence[TrailEntry]) -> str:
    """Returns `2 wait (PAUSED), 1 was rejected (INVALID_EMAIL)`."""
    states = Counter(trail.state_of(entry) for entry in entries)
    parts = []
    for state in EnvelopeState:
        if count := states[state]:
            reasons = Counter(trail.reasons_of_entry(entry) for entry in entries if trail.state_of(entry) is state)
            named = ", ".join(reason for reason, _ in reasons.most_common(3) if reason)
            parts.append(f"{count:,} {_VERBS[state][count > 1]}" + (f" ({named})" if named else ""))
    return ", ".join(parts)
