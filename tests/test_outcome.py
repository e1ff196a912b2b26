"""The nouns of the way out, and what a replay holds of a dead letter."""

import pytest

from intercomd.v1 import outcome_pb2
from intercomd_daemon.envelope import AcceptedEnvelope, Operation, TrackEvent, UpdateContact, operations_of
from intercomd_daemon.outcome import (
    DeadLetter,
    Description,
    Effect,
    EffectKind,
    Outcome,
    OutcomeType,
    describe,
    index_effects,
    replay_of,
)

DONE, DEAD = OutcomeType.DELIVERED, OutcomeType.DEAD_LETTERED
EVENTS = (TrackEvent("one", 1, b""), TrackEvent("two", 2, b""), TrackEvent("three", 3, b""))


def test_numbers_are_the_contract_s() -> None:
    for ours, theirs, prefix in (
        (OutcomeType, outcome_pb2.OutcomeType, "OUTCOME_TYPE_"),
        (EffectKind, outcome_pb2.EffectKind, "EFFECT_KIND_"),
    ):
        named = {name.removeprefix(prefix): number for name, number in theirs.items() if number}
        assert {member.name: member.value for member in ours} == named


def test_effect_of_an_event_has_its_name_and_time_and_that_of_an_update_has_neither() -> None:
    assert describe(TrackEvent("Bought", 7, b"")) == Description(EffectKind.EVENT, "Bought", 7)
    assert describe(UpdateContact({"plan": "gold"})) == Description(EffectKind.CONTACT, "", 0)


def letter(update: dict[str, str], contact: OutcomeType | None, *events: OutcomeType) -> DeadLetter:
    envelope = AcceptedEnvelope(
        "e", "u", "u@x.org", 1.0, operations_of("u", "u@x.org", update, EVENTS[: len(events)]), (), "", b"", 1, 42
    )
    kinds = [(EffectKind.CONTACT, contact)] if contact else []
    kinds += [(EffectKind.EVENT, each) for each in events]
    effects = tuple(Effect(kind, "", 0, type_, "", 0, "", 1) for kind, type_ in kinds)
    outcome = Outcome("e", "default", "u", "u@x.org", DEAD, "R", 1.0, 2.0, effects, (), 1)
    return DeadLetter(7, envelope, outcome, "no")


@pytest.mark.parametrize(
    ("dead", "update", "events"),
    [
        (letter({"a": "b"}, DEAD), {"a": "b"}, ()),
        (letter({"a": "b"}, DEAD, DONE, DEAD), {"a": "b"}, EVENTS[1:2]),
        (letter({"a": "b"}, DONE, DEAD, DONE, DEAD), {}, (EVENTS[0], EVENTS[2])),
        (letter({}, None, DEAD, DEAD), {}, EVENTS[:2]),
        # The email beside a customer id is an update by itself, without any attribute.
        (letter({}, DEAD, DONE), {}, ()),
    ],
)
def test_replay_holds_the_refused_calls_alone(
    dead: DeadLetter, update: dict[str, str], events: tuple[TrackEvent, ...]
) -> None:
    replay = replay_of(dead)
    written = replay.contact_update.attributes if replay.contact_update else {}
    assert (written, replay.events, replay.replay, replay.origin) == (update, events, 2, 42)


CONTACT, EVENT = EffectKind.CONTACT, EffectKind.EVENT


@pytest.mark.parametrize(
    ("kinds", "operations", "indexes"),
    [
        ([], EVENTS, []),
        ([CONTACT, EVENT], (UpdateContact({}), *EVENTS), [0, 1]),
        ([EVENT, EVENT], (UpdateContact({}), *EVENTS), [1, 2]),
        ([EVENT], EVENTS, [0]),
        ([CONTACT], EVENTS, [0]),
    ],
)
def test_index_effects_finds_the_operations_of_records_of_0_1(
    kinds: list[EffectKind], operations: tuple[Operation, ...], indexes: list[int]
) -> None:
    effects = [Effect(kind, "", 0, DONE, "", 0, "", 1) for kind in kinds]
    assert [effect.operation for effect in index_effects(effects, operations)] == indexes


def test_index_effects_keeps_indexes_that_are_known() -> None:
    effects = (Effect(EVENT, "", 0, DONE, "", 0, "", 1, operation=2),)
    assert index_effects(effects, EVENTS) == effects
