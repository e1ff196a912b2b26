"""Explains one entry of the trail in lines: what happened, to which envelope, call by call, and what to do."""

import shlex
from types import MappingProxyType
from typing import NamedTuple

import click

from intercomd.v1 import outcome_pb2
from intercomd.v1.envelope_pb2 import Adjustment
from intercomd.v1.ingest_pb2 import Violation
from intercomd.v1.operations_pb2 import Refusal, TrailEntry, WaitingEnvelope
from intercomd_daemon.cli import trail
from intercomd_daemon.cli.format import printable, quantity, timestamp
from intercomd_daemon.cli.outcomes import has_response, type_name, user_of
from intercomd_daemon.cli.output import print_text
from intercomd_daemon.cli.trail import EnvelopeState
from intercomd_daemon.reasons import ReasonKind, remedy_of

COLOURS = MappingProxyType(
    {EnvelopeState.DELIVERED: "green", EnvelopeState.UNCHANGED: "cyan", EnvelopeState.WAITING: "yellow"}
    | dict.fromkeys((EnvelopeState.DEAD_LETTERED, EnvelopeState.REJECTED), "red")
)
_REFUSAL_KINDS = MappingProxyType(
    {EnvelopeState.REJECTED: ReasonKind.VIOLATION, EnvelopeState.SKIPPED: ReasonKind.SKIP}
)
_FINDINGS_MAX = 20


class Explanation(NamedTuple):
    """One entry of the trail, as text without control characters."""

    time: str
    state: EnvelopeState
    reasons: str
    details: tuple[str, ...]
    remedy: str
    """What to do; empty if nothing."""


def explain_entry(entry: TrailEntry, *, superseded: bool = False, forwards: bool = False) -> Explanation:
    """Explains an entry. A superseded one needs no remedy. `forwards`: its connection is forwarded to a gateway."""
    state = trail.state_of(entry)
    details = [_envelope_line(entry)]
    if entry.HasField("waiting"):
        details += _waiting_lines(entry.waiting)
        remedy = _waiting_remedy(entry, "the gateway" if forwards else "Intercom")
    elif entry.HasField("refusal"):
        details += [_finding(violation) for violation in entry.refusal.violations[:_FINDINGS_MAX]]
        remedy = _refusal_remedy(entry.refusal, _REFUSAL_KINDS[state])
    else:
        details += _outcome_lines(entry.outcome)
        remedy = _outcome_remedy(entry)
    if superseded:
        details.append("A later entry supersedes this one.")
        remedy = ""
    time, reasons = timestamp(entry.time), trail.reasons_of_entry(entry)
    return Explanation(time, state, reasons, tuple(printable(line, None) for line in details), remedy)


def print_explanation(explanation: Explanation) -> None:
    """Prints what happened, the details indented below, and the remedy if there is one."""
    state = click.style(explanation.state.value, fg=COLOURS.get(explanation.state), bold=True)
    reasons = f": {explanation.reasons}" if explanation.reasons else ""
    click.echo(f"{explanation.time}  {state}{reasons}")
    for detail in explanation.details:
        print_text(detail, "    ", "      ")
    if explanation.remedy:
        print_text(f"What to do: {explanation.remedy}", "    ", "      ")


def _envelope_line(entry: TrailEntry) -> str:
    held = entry.waiting if entry.HasField("waiting") else entry.outcome
    line = f"envelope {trail.envelope_id_of(entry)} of {user_of(trail.identity_of(entry)) or 'no user'}"
    line += f" in {trail.connection_of(entry)}"
    if entry.HasField("refusal"):
        content, caller = trail.content_of(entry), entry.refusal.caller
        line += f", {content}" if content else ""
    else:
        line += f", accepted {timestamp(held.accept_time)}"
        line += f", replay {held.replay}" if held.replay else ""
        caller = held.caller
    return line + (f", published by {caller}" if caller else "")


def _waiting_lines(waiting: WaitingEnvelope) -> list[str]:
    lines = [trail.content_of_envelope(waiting.envelope) or "no content"]
    made = f"{quantity(waiting.attempts, 'call')} made for it" if waiting.attempts else "no call made for it yet"
    lines.append(made + (f"; last status {waiting.http_status}" if waiting.http_status else ""))
    if waiting.HasField("next_attempt_time"):
        lines.append(f"next attempt: {timestamp(waiting.next_attempt_time)}")
    ahead = f"at most {quantity(waiting.ahead, 'envelope')}" if waiting.ahead else "no envelope"
    lines.append(f"{ahead} before it")
    if waiting.last_error:
        lines.append(f"last error: {waiting.last_error}")
    return lines


def _outcome_lines(outcome: outcome_pb2.Outcome) -> list[str]:
    lines = [_call(effect) for effect in outcome.effects]
    if outcome.forwarded_to:
        command = f"`intercomd explain {printable(outcome.envelope_id)}` at the gateway shows its outcome"
        lines.append(f"forwarded to the spool {printable(outcome.forwarded_to)}: {command}")
    lines += [_finding(violation) for violation in outcome.violations[:_FINDINGS_MAX]]
    lines += [f"changed: {_finding(adjustment)}" for adjustment in outcome.adjustments]
    return lines


def _call(effect: outcome_pb2.Effect) -> str:
    what = "contact"
    if effect.kind == outcome_pb2.EFFECT_KIND_EVENT:
        # A full disk had no room for the details of an outcome with many effects.
        what = (
            f"event {printable(effect.event_name)} of {timestamp(effect.event_time)}" if effect.event_name else "event"
        )
    parts = [f"{what}: {type_name(effect.type)}"]
    parts += [effect.reason] if effect.reason else []
    parts += [f"status {effect.http_status}"] if effect.http_status else []
    parts += [quantity(effect.attempts, "call")] if effect.attempts else []
    parts += [f"request {effect.intercom_request_id}"] if effect.intercom_request_id else []
    return ", ".join(parts)


def _finding(finding: Violation | Adjustment) -> str:
    return f"{finding.reason}{' ' + finding.field if finding.field else ''}: {finding.message}"


def _waiting_remedy(entry: TrailEntry, other: str) -> str:
    """Returns what to do, with the command where one helps. `other` is the server that the daemon calls."""
    connection, reason = printable(entry.waiting.connection), entry.waiting.reason
    envelope = shlex.quote(printable(trail.envelope_id_of(entry), None))
    if trail.waits_behind(entry.waiting):
        user = shlex.quote(user_of(trail.identity_of(entry)))
        return f"See which envelope of its user fails, and why: `intercomd explain {user}`."
    commands = {
        "PAUSED": f"Resume the connection: `intercomd resume {connection}`.",
        "SUSPENDED": f"Correct what `intercomd status` names. The daemon probes {other} and continues by itself;"
        f" `intercomd retry {connection}` probes now.",
        "DOWN": f"Nothing: the daemon probes {other} and continues by itself;"
        f" `intercomd retry {connection}` probes now.",
        "RETRYING": "Wait for the next attempt. If it cannot succeed, end it as a dead letter:"
        f" `intercomd give-up {envelope}`.",
        "WAITING_TURN": "Nothing: it goes when its turn comes.",
        "RATE_LIMITED": "Nothing: it goes when Intercom's rate limit allows.",
        "IN_FLIGHT": "Nothing: look again in some seconds.",
        "VERIFYING": "Nothing: look again in some seconds. If it lasts, `intercomd status` shows why.",
    }
    return commands.get(reason) or remedy_of(ReasonKind.WAITING, reason)


def _refusal_remedy(refusal: Refusal, kind: ReasonKind) -> str:
    reasons = dict.fromkeys(violation.reason for violation in refusal.violations)
    remedies = [remedy for remedy in (remedy_of(kind, reason) for reason in reasons) if remedy]
    if kind is ReasonKind.VIOLATION:
        remedies.append("The daemon keeps no copy: send it again after that.")
    return " ".join(dict.fromkeys(remedies))


def _outcome_remedy(entry: TrailEntry) -> str:
    outcome, number = entry.outcome, entry.dead_letter_id
    skipped = outcome.type == outcome_pb2.OUTCOME_TYPE_SKIPPED
    if outcome.violations:  # The gateway decided it.
        kinds = (ReasonKind.SKIP if skipped else ReasonKind.VIOLATION, ReasonKind.UPSTREAM)
        remedy = next(filter(None, (remedy_of(kind, outcome.reason) for kind in kinds)), "")
        if number:
            remedy += f" Replay, once the gateway accepts it: `intercomd dead-letters replay {number}`."
        return remedy.strip()
    kind = ReasonKind.LEFT_OUT if skipped else ReasonKind.DEAD_LETTER
    reasons = [outcome.reason, *(effect.reason for effect in outcome.effects if effect.type == outcome.type)]
    remedy = next(filter(None, (remedy_of(kind, reason) for reason in reasons)), "")
    if number:
        # A full disk had no room for the effects of some outcomes.
        if has_response(outcome) or not outcome.effects:
            remedy += f" Intercom's response: `intercomd dead-letters show {number}`."
        remedy += f" Replay: `intercomd dead-letters replay {number}`."
    return remedy.strip()
