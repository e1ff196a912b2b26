"""One waiting envelope: which call is next, and how it ends."""

import msgspec
import pytest

from intercomd_daemon.deliver.lane.pending import ANSWER_KEPT_BYTES, FINDINGS_MAX, PendingEnvelope
from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority, TrackEvent, UpdateContact, operations_of
from intercomd_daemon.outcome import EffectKind, OutcomeType, Progress
from intercomd_daemon.spool.base import POSITION_BITS
from intercomd_daemon.spool.record import pack, unpack

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


def waiting(envelope: AcceptedEnvelope = ENVELOPE, progress: Progress | None = None) -> PendingEnvelope:
    return PendingEnvelope(3 << POSITION_BITS | 42, Priority.NORMAL, envelope, progress or Progress())


def test_its_place_among_all_is_its_position_a_replay_s_that_of_the_first_acceptance() -> None:
    assert waiting().position == 42
    replayed = AcceptedEnvelope("e1", "u1", "", NOW, (), (), "", b"", replay=1, origin=9)
    assert waiting(replayed).position == 9


@pytest.mark.parametrize(
    ("customer_id", "email", "with_email", "update"),
    [
        ("u1", "ada@x.io", True, {"plan": "gold", "email": "ada@x.io"}),
        ("u1", "ada@x.io", False, {"plan": "gold"}),
        ("u1", "", True, {"plan": "gold"}),
        ("", "ada@x.io", True, {"plan": "gold"}),
    ],
)
def test_the_email_is_part_of_the_update_beside_a_customer_id_by_setting(
    customer_id: str, email: str, with_email: bool, update: dict[str, str]
) -> None:
    envelope = AcceptedEnvelope(
        "e1", customer_id, email, NOW, operations_of(customer_id, email, {"plan": "gold"}, ()), (), "", b""
    )
    assert waiting(envelope).update(with_email=with_email) == update


def test_the_update_comes_first_then_each_event_and_how_far_it_is_can_be_kept() -> None:
    row = waiting()
    for kept in (False, True):
        row = waiting()
        assert row.update_due(with_email=True)
        row.attempts = 2
        row.contact_ended(DELIVERED, status=200, request_id="r1")
        assert (row.attempts, row.update_due(with_email=True)) == (0, False)
        row.attempts, row.not_found = 3, 1
        row.add_finding(TRIMMED)
        if kept:
            row = waiting(progress=unpack(pack(row.progress()), Progress))
            assert (row.attempts, row.not_found) == (3, 1)
        assert row.event == ENVELOPE.events[0]
        row.event_ended(DELIVERED)
        assert (row.attempts, row.not_found) == (0, 0)
        assert row.event == ENVELOPE.events[1]
        row.event_ended(DELIVERED)
        assert row.event is None
    outcome = row.end("main", NOW).outcome
    assert [(e.kind, e.event_name, e.event_time, e.attempts) for e in outcome.effects] == [
        (EffectKind.CONTACT, "", 0, 2),
        (EffectKind.EVENT, "Bought", 7, 3),
        (EffectKind.EVENT, "Seen", 8, 0),
    ]


def test_an_outcome_names_its_envelope() -> None:
    row = waiting()
    row.contact_ended(SKIPPED, "DRY_RUN")
    outcome = row.end("main", NOW).outcome
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
def test_how_an_envelope_ends(effects: list[tuple[OutcomeType, str]], type_: OutcomeType, reason: str) -> None:
    row = waiting()
    for index, (ended, why) in enumerate(effects):
        (row.event_ended if index else row.contact_ended)(ended, why)
    row.keep_answer(b"no")
    end = row.end("main", NOW)
    assert (end.outcome.type, end.outcome.reason) == (type_, reason)
    assert end.key == row.key
    if type_ is DEAD:
        assert end.dead_letter is not None
        assert (end.dead_letter.origin, end.dead_letter.events, end.answer_body) == (42, ENVELOPE.events, "no")
    else:
        assert (end.dead_letter, end.answer_body) == (None, "")


@pytest.mark.parametrize(("ended", "refused"), [(DEAD, True), (DELIVERED, False), (UNCHANGED, False)])
def test_whether_the_update_was_refused(ended: OutcomeType, refused: bool) -> None:
    row = waiting()
    assert not row.update_refused
    row.contact_ended(ended)
    row.event_ended(DEAD)
    assert row.update_refused is refused


def test_an_answer_is_kept_as_text_up_to_a_limit() -> None:
    row = waiting()
    row.keep_answer(b"x" * (ANSWER_KEPT_BYTES - 1) + "ä".encode())
    assert row.progress().answer_body == "x" * (ANSWER_KEPT_BYTES - 1) + "\ufffd"


@pytest.mark.fills("deliver.lane.pending.FINDINGS_MAX")
def test_a_note_is_made_once_and_so_many_at_most() -> None:
    row = waiting()
    for number in range(FINDINGS_MAX + 10):
        row.add_finding(Finding("ATTRIBUTE_DROPPED", str(number), ""))
        row.add_finding(Finding("ATTRIBUTE_DROPPED", "0", ""))
    assert [finding.field for finding in row.progress().adjustments] == [str(number) for number in range(FINDINGS_MAX)]


def test_event_ended_without_a_remaining_event_is_an_error() -> None:
    pending = waiting()
    pending.contact_ended(OutcomeType.DELIVERED)
    pending.event_ended(OutcomeType.DELIVERED)
    pending.event_ended(OutcomeType.DELIVERED)
    with pytest.raises(ValueError, match=str(pending.key)):
        pending.event_ended(OutcomeType.DELIVERED)


def test_given_up_envelope_is_a_dead_letter_whose_replay_does_the_rest() -> None:
    row = waiting()
    row.contact_ended(DELIVERED, "", 200, "r1")
    row.attempts = 3
    row.failed(500, "track event: HTTP_500")
    outcome, letter = row.give_up("default", NOW, with_email=True)[1:3]
    assert (outcome.type, outcome.reason, outcome.end_time) == (DEAD, "GIVEN_UP", NOW)
    assert [(each.type, each.reason, each.http_status, each.attempts) for each in outcome.effects] == [
        (DELIVERED, "", 200, 0),
        (DEAD, "GIVEN_UP", 500, 3),
        (DEAD, "GIVEN_UP", 500, 0),
    ]
    assert letter == msgspec.structs.replace(ENVELOPE, origin=42)


def test_given_up_envelope_keeps_earlier_refusals() -> None:
    row = waiting()
    row.keep_answer(b"no such attribute")
    row.contact_ended(DEAD, "REQUEST_INVALID", 400, "r1")
    completion = row.give_up("default", NOW, with_email=True)
    assert completion.outcome.reason == "GIVEN_UP"
    assert [each.reason for each in completion.outcome.effects] == ["REQUEST_INVALID", "GIVEN_UP", "GIVEN_UP"]
    assert completion.answer_body == "no such attribute"


def test_last_failure_is_kept_with_the_progress() -> None:
    row = waiting()
    row.failed(503, "update contact: HTTP_503")
    again = waiting(progress=unpack(pack(row.progress()), Progress))
    assert (again.http_status, again.last_error) == (503, "update contact: HTTP_503")
