from collections.abc import Callable

import pytest
from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Priority
from intercomd_daemon.outcome import OutcomeType, Progress
from intercomd_daemon.spool import completion
from intercomd_daemon.spool.record import pack, unpack
from intercomd_daemon.spool.rows import Completion

KEY = 5 << 48 | 1234

End = Callable[..., Completion]


@pytest.mark.fills("spool.completion.ANSWER_BODY_MAX")
def test_letter_has_the_id_of_its_outcome_and_the_first_position(ended: End) -> None:
    end = ended(KEY, reason="BAD")
    letter = completion.dead_letter_of(KEY, completion.outcome_of(end, 9), end.dead_letter, "x" * 100_000)
    assert (letter.dead_letter_id, letter.outcome.sequence, letter.envelope.origin) == (9, 9, 1234)
    assert len(letter.answer_body) == completion.ANSWER_BODY_MAX
    again = completion.dead_letter_of(KEY + 50, letter.outcome, letter.envelope, "")
    assert again.envelope.origin == 1234


def test_replayed_row_has_the_lane_and_the_refused_calls(ended: End) -> None:
    end = ended(KEY, "e1", "ann", reason="BAD")
    row = completion.replayed_row(completion.dead_letter_of(KEY, end.outcome, end.dead_letter, ""), Priority.BULK)
    assert (row.connection, row.priority, row.lane, row.envelope_id) == ("default", Priority.BULK, "c:ann", "e1")
    assert not row.recognised
    envelope = unpack(row.data, AcceptedEnvelope)
    assert (envelope.contact_update, [event.name for event in envelope.events], envelope.replay) == (None, ["order"], 1)


def test_discarded_letter_gets_a_second_outcome_with_a_new_sequence(ended: End) -> None:
    end = ended(KEY, reason="BAD")
    outcome = completion.discarded_outcome(
        completion.dead_letter_of(KEY, end.outcome, end.dead_letter, ""), 77, 1_800_000_000.0
    )
    assert (outcome.type, outcome.sequence, outcome.end_time) == (OutcomeType.DISCARDED, 77, 1_800_000_000.0)
    assert (outcome.reason, outcome.effects) == ("BAD", end.outcome.effects)


def test_damaged_outcome_has_the_identity_of_its_lane() -> None:
    outcome = completion.damaged_outcome("eu", "e:ann@example.com", "a", 5.0, 7, 9.0)
    assert (outcome.connection, outcome.customer_id, outcome.email) == ("eu", "", "ann@example.com")
    assert (outcome.envelope_id, outcome.accept_time, outcome.end_time, outcome.sequence) == ("a", 5.0, 9.0, 7)
    assert (outcome.type, outcome.reason, outcome.effects) == (OutcomeType.DEAD_LETTERED, "DAMAGED", ())


def test_progress_without_answer_keeps_the_rest() -> None:
    progress = Progress((), 3, (), "x" * 1_000, 2)
    assert unpack(completion.without_answer(pack(progress)), Progress) == Progress((), 3, (), "", 2)


def test_shortened_outcome_still_has_what_a_replay_needs(ended: End) -> None:
    end = ended(KEY, reason="BAD")
    contact, event = end.outcome.effects
    indexed = (replace(contact, operation=0), replace(event, operation=1), replace(event, operation=2))
    outcome = replace(end.outcome, effects=indexed, adjustments=(Finding("VALUE_CUT", "event", "cut"),))
    short = completion.shortened(outcome)
    assert short.adjustments == ()
    bare = replace(event, event_name="", event_time=0, intercom_request_id="", operation=1)
    assert short.effects == (bare, replace(bare, operation=2, reason=""))
    assert replace(short, effects=(), adjustments=()) == replace(outcome, effects=(), adjustments=())
    letters = [completion.dead_letter_of(KEY, each, end.dead_letter, "") for each in (outcome, short)]
    first, second = (completion.replayed_row(letter, Priority.NORMAL) for letter in letters)
    assert first == second
