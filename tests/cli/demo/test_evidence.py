"""What the witnesses say, put together."""

from collections import Counter

from sending import NOON

from intercomd import EnvelopeResult
from intercomd.v1 import ingest_pb2, outcome_pb2
from intercomd_daemon.cli.demo import kinds, people
from intercomd_daemon.cli.demo.evidence import Answered, Evidence, Made
from intercomd_daemon.cli.demo.step import Fate, Step

ACCEPTED, DUPLICATE = ingest_pb2.DISPOSITION_ACCEPTED, ingest_pb2.DISPOSITION_DUPLICATE
REJECTED, SKIPPED = ingest_pb2.DISPOSITION_REJECTED, ingest_pb2.DISPOSITION_SKIPPED


def step(envelope_id: str) -> Step:
    made = kinds.custom(people.person(0), NOON, "clicked", {})
    made.envelope.envelope_id = envelope_id
    return made


def evidence(*answers: tuple[str, int], ends: dict[str, int] | None = None) -> Evidence:
    answered = []
    for envelope_id, disposition in answers:
        violations = [ingest_pb2.Violation(reason="BECAUSE")] if disposition in {REJECTED, SKIPPED} else []
        result = EnvelopeResult(envelope_id=envelope_id, disposition=disposition, violations=violations)
        answered.append(Answered(step(envelope_id), result))
    outcomes = [outcome_pb2.Outcome(envelope_id=name, type=end, reason="") for name, end in (ends or {}).items()]
    return Evidence(tuple(answered), tuple(outcomes), (), 0, {}, (), 0)


def test_ends_are_the_journals_and_refusals_the_senders() -> None:
    ends = {"a": outcome_pb2.OUTCOME_TYPE_DELIVERED, "b": outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED}
    seen = evidence(("a", ACCEPTED), ("b", ACCEPTED), ("c", REJECTED), ("d", SKIPPED), ("a", DUPLICATE), ends=ends)
    assert [fate for _, fate, _ in seen.fates()] == [
        Fate.DELIVERED,
        Fate.DEAD_LETTER,
        Fate.REJECTED,
        Fate.SKIPPED,
        Fate.DUPLICATE,
    ]
    assert seen.sums() == Counter(
        dict.fromkeys((Fate.DELIVERED, Fate.DEAD_LETTER, Fate.REJECTED, Fate.SKIPPED), 1)
    ) + Counter({Fate.DUPLICATE: 1})


def test_a_duplicate_that_was_never_answered_before_was_accepted_by_a_daemon_that_died() -> None:
    seen = evidence(("a", DUPLICATE), ("a", DUPLICATE), ends={"a": outcome_pb2.OUTCOME_TYPE_DELIVERED})
    assert [fate for _, fate, _ in seen.fates()] == [Fate.DELIVERED, Fate.DUPLICATE]


def test_what_has_no_outcome_is_not_known() -> None:
    assert [fate for _, fate, _ in evidence(("a", ACCEPTED)).fates()] == [None]


def test_reasons_are_those_of_the_first_violation() -> None:
    assert [reason for _, _, reason in evidence(("a", REJECTED)).fates()] == ["BECAUSE"]


def test_calls_are_about_contacts_events_or_access() -> None:
    paths = ("/contacts", "/contacts/1f", "/events", "/me", "/data_attributes")
    assert [Made("GET", path, 200, spoilt=False).subject for path in paths] == [
        "contacts",
        "contacts",
        "events",
        "access",
        "access",
    ]
