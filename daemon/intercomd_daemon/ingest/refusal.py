"""Builds what the trail keeps of a rejected or skipped envelope. Texts are cut, so that a refusal stays small."""

from collections.abc import Sequence

from msgspec.structs import replace

from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX, Finding, Refusal
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.ingest.decoded import CustomEvent, DecodedEnvelope

VIOLATIONS_MAX = 20
"""Violations kept of one envelope: the first ones."""
TEXT_CHARACTERS_MAX = 255
"""Characters kept of an identity, a name or a field."""
MESSAGE_CHARACTERS_MAX = 500


def refusal_of(envelope: DecodedEnvelope, decision: Decision, now: float, caller: str = "") -> Refusal:
    """Returns the refusal of an envelope of a caller that was rejected or skipped at `now` (Unix seconds)."""
    event = envelope.event
    return Refusal(
        time=now,
        envelope_id=decision.envelope_id[:GIVEN_ID_BYTES_MAX],
        connection=decision.connection[:TEXT_CHARACTERS_MAX],
        customer_id=envelope.customer_id.strip()[:TEXT_CHARACTERS_MAX],
        email=envelope.email.strip().lower()[:TEXT_CHARACTERS_MAX],
        disposition=int(decision.disposition),
        violations=_cut(decision.violations),
        caller=caller,
        event_name=event.name[:TEXT_CHARACTERS_MAX] if isinstance(event, CustomEvent) else "",
    )


def _cut(violations: Sequence[Finding]) -> tuple[Finding, ...]:
    kept = tuple(violations[:VIOLATIONS_MAX])
    if all(len(each.field) <= TEXT_CHARACTERS_MAX and len(each.message) <= MESSAGE_CHARACTERS_MAX for each in kept):
        return kept
    return tuple(
        replace(each, field=each.field[:TEXT_CHARACTERS_MAX], message=each.message[:MESSAGE_CHARACTERS_MAX])
        for each in kept
    )
