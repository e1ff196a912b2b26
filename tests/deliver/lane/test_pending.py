"""One pending envelope: its operations in order, and its outcome."""

import pytest

from intercomd_daemon.deliver.lane.pending import FINDINGS_MAX, PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority, TrackEvent, UpdateContact
from intercomd_daemon.outcome import EffectKind, OutcomeType, Progress
from intercomd_daemon.spool.completion import ANSWER_BODY_MAX
from intercomd_daemon.spool.record import pack, unpack
from intercomd_daemon.spool.rows import POSITION_BITS

NOW = 1_795_000_000.0
DELIVERED, UNCHANGED, SKIPPED = OutcomeType.DELIVERED, OutcomeType.UNCHANGED, OutcomeType.SKIPPED
DEAD = OutcomeType.DEAD_LETTERED
TRIMMED = Finding("VALUE_TRUNCATED", "user_attributes[0]", "cut")

ENVELOPE = AcceptedEnvelope(
    envelope_id="e1",
    customer_id="u1",
    email="ada@x.io",
    accept_time=NOW - 5,
    operations=(UpdateContact({"plan": "gold"}), TrackEvent("Bought", 7, b""), TrackEvent("Seen", 8, b"")),
    adjustments=(TRIMMED,),
    traceparent="00-trace",
    source=b"source",
)


def pending_envelope(envelope: AcceptedEnvelope = ENVELOPE, progress: Progress | None = None) -> PendingEnvelope:
    return PendingEnvelope(3 << POSITION_BITS | 42, Priority.NORMAL, envelope, progress or Progress())


def test_position_of_a_replay_is_that_of_the_first_acceptance() -> None:
    assert pending_envelope().position == 42
    replayed = AcceptedEnvelope("e1", "u1", "", NOW, (), (), "", b"", replay=1, origin=9)
    assert pending_envelope(replayed).position == 9


@pytest.mark.parametrize("stored", [False, True])
def test_operations_end_in_order_also_after_a_restart(stored: bool) -> None:
    pending = pending_envelope()
    update, *events = ENVELOPE.operations
    assert pending.operation == update
    pending.attempts = 2
    pending.end_operation(DELIVERED, status=200, request_id="r1")
    assert pending.attempts == 0
    pending.attempts, pending.not_found = 3, 1
    pending.add_finding(TRIMMED)
    if stored:
        pending = pending_envelope(progress=unpack(pack(pending.progress()), Progress))
        assert (pending.attempts, pending.not_found) == (3, 1)
    assert (pending.operation, pending.at_last_operation) == (events[0], False)
    pending.end_operation(DELIVERED)
    assert (pending.attempts, pending.not_found) == (0, 0)
    assert (pending.operation, pending.at_last_operation) == (events[1], True)
    pending.end_operation(DELIVERED)
    assert pending.operation is None
    outcome = pending.end("main", NOW).outcome
    assert [(e.kind, e.event_name, e.event_time, e.attempts, e.operation) for e in outcome.effects] == [
        (EffectKind.CONTACT, "", 0, 2, 0),
        (EffectKind.EVENT, "Bought", 7, 3, 1),
        (EffectKind.EVENT, "Seen", 8, 0, 2),
    ]


def test_pass_over_leaves_no_effect_of_the_operation() -> None:
    pending = pending_envelope()
    pending.pass_over()
    assert pending.operation == ENVELOPE.operations[1]
    pending.end_operation(DELIVERED)
    (effect,) = pending.progress().effects
    assert (effect.kind, effect.operation) == (EffectKind.EVENT, 1)


def test_outcome_names_its_envelope() -> None:
    pending = pending_envelope()
    pending.end_operation(SKIPPED, "DRY_RUN")
    outcome = pending.end("main", NOW).outcome
    assert (outcome.envelope_id, outcome.connection, outcome.customer_id, outcome.email) == (
        "e1",
        "main",
        "u1",
        "ada@x.io",
    )
    assert (outcome.accept_time, outcome.end_time, outcome.replay) == (NOW - 5, NOW, 0)
    assert outcome.adjustments == (TRIMMED,)
    assert outcome.traceparent == "00-trace"


@pytest.mark.parametrize(
    ("effects", "type_", "reason"),
    [
        ([], UNCHANGED, ""),
        ([(UNCHANGED, "")], UNCHANGED, ""),
        ([(UNCHANGED, ""), (DELIVERED, "")], DELIVERED, ""),
        ([(SKIPPED, "DRY_RUN"), (DELIVERED, "")], DELIVERED, ""),
        ([(UNCHANGED, ""), (SKIPPED, "DRY_RUN")], SKIPPED, "DRY_RUN"),
        ([(DELIVERED, ""), (DEAD, "EXPIRED")], DEAD, "EXPIRED"),
        ([(DEAD, "REQUEST_INVALID"), (DELIVERED, ""), (DEAD, "EXPIRED")], DEAD, "REQUEST_INVALID"),
    ],
)
def test_outcome_type_is_that_of_the_gravest_effect(
    effects: list[tuple[OutcomeType, str]], type_: OutcomeType, reason: str
) -> None:
    pending = pending_envelope()
    for ended, why in effects:
        pending.end_operation(ended, why)
    pending.keep_response(b"no")
    end = pending.end("main", NOW)
    assert (end.outcome.type, end.outcome.reason) == (type_, reason)
    assert end.key == pending.key
    if type_ is DEAD:
        assert end.dead_letter is not None
        assert (end.dead_letter.origin, end.dead_letter.events, end.answer_body) == (42, ENVELOPE.events, "no")
    else:
        assert (end.dead_letter, end.answer_body) == (None, "")


@pytest.mark.parametrize(("ended", "refused"), [(DEAD, True), (DELIVERED, False), (UNCHANGED, False)])
def test_refused_is_by_the_kind_of_operation(ended: OutcomeType, refused: bool) -> None:
    pending = pending_envelope()
    assert not pending.refused(EffectKind.CONTACT)
    pending.end_operation(ended)
    pending.end_operation(DEAD)
    assert pending.refused(EffectKind.CONTACT) is refused
    assert pending.refused(EffectKind.EVENT)


def test_keep_response_keeps_text_up_to_a_limit() -> None:
    pending = pending_envelope()
    pending.keep_response(b"x" * (ANSWER_BODY_MAX - 1) + "ä".encode())
    assert pending.progress().answer_body == "x" * (ANSWER_BODY_MAX - 1) + "\ufffd"


@pytest.mark.fills("deliver.lane.pending.FINDINGS_MAX")
def test_findings_are_unique_and_bounded() -> None:
    pending = pending_envelope()
    for number in range(FINDINGS_MAX + 10):
        pending.add_finding(Finding("ATTRIBUTE_DROPPED", str(number), ""))
        pending.add_finding(Finding("ATTRIBUTE_DROPPED", "0", ""))
    assert [finding.field for finding in pending.progress().adjustments] == [
        str(number) for number in range(FINDINGS_MAX)
    ]


def test_end_operation_without_a_remaining_operation_is_an_error() -> None:
    pending = pending_envelope()
    for _ in ENVELOPE.operations:
        pending.end_operation(DELIVERED)
    with pytest.raises(ValueError, match=str(pending.key)):
        pending.end_operation(DELIVERED)


def test_last_failure_is_kept_with_the_progress() -> None:
    pending = pending_envelope()
    pending.on_failure(503, "update contact: HTTP_503")
    again = pending_envelope(progress=unpack(pack(pending.progress()), Progress))
    assert (again.http_status, again.last_error) == (503, "update contact: HTTP_503")
