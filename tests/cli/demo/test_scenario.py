"""The whole of what is sent: the same at every run, and such that it can be verified."""

from collections import Counter

from examining import examined, stored
from sending import NOON

from intercomd_daemon.cli.demo.scenario import SENT_AGAIN, SYNCED, scenario
from intercomd_daemon.cli.demo.step import Fate, Step
from intercomd_daemon.ingest.examined import Disposition

STEPS = scenario(NOON).steps
NOW = NOON + 6 * 3600


def test_it_is_the_same_at_every_run() -> None:
    assert scenario(NOON) == scenario(NOON)


def test_it_is_a_few_hundred_envelopes_of_every_fate() -> None:
    fates = Counter(step.fate for step in STEPS)
    assert 300 < len(STEPS) < 500
    assert set(fates) == set(Fate)
    assert (fates[Fate.UNCHANGED], fates[Fate.DUPLICATE]) == (SYNCED, 4 * SENT_AGAIN)


def test_each_id_is_used_once_but_by_those_that_are_sent_again() -> None:
    ids = [step.envelope.envelope_id for step in STEPS if step.fate is not Fate.DUPLICATE]
    assert len(set(ids)) == len(ids)
    assert {step.envelope.envelope_id for step in STEPS if step.fate is Fate.DUPLICATE} <= set(ids)


def test_everybody_belongs_to_one_sender() -> None:
    senders: dict[str, set[str]] = {}
    for sender, steps in scenario(NOON).by_day.items():
        for step in steps:
            senders.setdefault(step.who, set()).add(sender)
    assert [who for who, of in senders.items() if who and len(of) > 1] == []


def test_nobody_does_the_same_twice_in_one_second() -> None:
    tracked = Counter((step.who, event) for step in STEPS for event in step.events)
    assert tracked.total() == len(tracked)


def test_nothing_happens_in_the_future() -> None:
    assert max(step.envelope.event_time.seconds for step in STEPS) < NOW


def test_the_daemons_rules_make_of_each_what_is_expected() -> None:
    assert [step.envelope.envelope_id for step in STEPS if not _fits(step)] == []


def _fits(step: Step) -> bool:
    result = examined(step.envelope, NOW)
    if step.fate in {Fate.SKIPPED, Fate.REJECTED}:
        return result.disposition is Disposition[step.fate.name] and result.violations[0].reason == step.reason
    if step.fate in {Fate.DUPLICATE, Fate.DEAD_LETTER}:
        return result.accepted is not None
    names = [event.name for event in result.accepted.events] if result.accepted else []
    return names == [event.name for event in step.events] and stored(result) == step.stored
