"""How an envelope ends that an operator gives up."""

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.lane import give_up
from intercomd_daemon.deliver.lane.pending import Described, PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Operation, Priority, TrackEvent, UpdateContact
from intercomd_daemon.outcome import EffectKind, OutcomeType, Progress
from intercomd_daemon.spool.base import POSITION_BITS

NOW = 1_795_000_000.0
SETTINGS = ConnectionSettings(name="default")
DEAD, DELIVERED = OutcomeType.DEAD_LETTERED, OutcomeType.DELIVERED
CONTACT = Described(EffectKind.CONTACT)
PURCHASE = (UpdateContact({"plan": "gold"}), TrackEvent("Bought", 7, b""), TrackEvent("Seen", 8, b""))


def pending(*operations: Operation) -> PendingEnvelope:
    envelope = AcceptedEnvelope("e1", "u1", "", NOW - 5, operations, (), "", b"source")
    return PendingEnvelope(3 << POSITION_BITS | 42, Priority.NORMAL, envelope, Progress())


def test_given_up_envelope_is_a_dead_letter_whose_replay_does_the_rest() -> None:
    row = pending(*PURCHASE)
    row.end_operation(CONTACT, DELIVERED, "", 200, "r1")
    row.attempts = 3
    row.on_failure(500, "track event: HTTP_500")
    outcome, letter = give_up(row, SETTINGS, NOW)[1:3]
    assert (outcome.type, outcome.reason, outcome.end_time) == (DEAD, "GIVEN_UP", NOW)
    assert [(each.type, each.reason, each.http_status, each.attempts) for each in outcome.effects] == [
        (DELIVERED, "", 200, 0),
        (DEAD, "GIVEN_UP", 500, 3),
        (DEAD, "GIVEN_UP", 500, 0),
    ]
    assert letter == msgspec.structs.replace(row.envelope, origin=42)


def test_given_up_envelope_keeps_earlier_refusals() -> None:
    row = pending(*PURCHASE)
    row.keep_response(b"no such attribute")
    row.end_operation(CONTACT, DEAD, "REQUEST_INVALID", 400, "r1")
    completion = give_up(row, SETTINGS, NOW)
    assert completion.outcome.reason == "GIVEN_UP"
    assert [each.reason for each in completion.outcome.effects] == ["REQUEST_INVALID", "GIVEN_UP", "GIVEN_UP"]
    assert completion.answer_body == "no such attribute"


def test_given_up_envelope_has_an_effect_even_without_work() -> None:
    (effect,) = give_up(pending(UpdateContact({})), SETTINGS, NOW).outcome.effects
    assert (effect.kind, effect.type, effect.reason) == (EffectKind.CONTACT, DEAD, "GIVEN_UP")


def test_given_up_envelope_has_no_effect_of_an_operation_without_work_beside_others() -> None:
    effects = give_up(pending(UpdateContact({}), TrackEvent("Seen", 8, b"")), SETTINGS, NOW).outcome.effects
    assert [(effect.kind, effect.operation) for effect in effects] == [(EffectKind.EVENT, 1)]
