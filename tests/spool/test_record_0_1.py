"""Records as 0.1 wrote them are read as operations."""

from zlib import crc32

import msgspec
import pytest

from intercomd_daemon.envelope import AcceptedEnvelope, Finding, Operation, TrackEvent, UpdateContact
from intercomd_daemon.outcome import DeadLetter, Effect, EffectKind, OutcomeType, Progress, index_effects
from intercomd_daemon.spool import record

FINDING = ["ATTRIBUTE_DROPPED", "user_attributes[a]", "dropped"]
EVENTS = [["came", 7, b"{}"], ["went", 8, b""]]
TRACKED = (TrackEvent("came", 7, b"{}"), TrackEvent("went", 8, b""))
# kind, event name, event time, type, reason, status, request id, attempts
EFFECTS = [[1, "", 0, 1, "", 200, "r1", 1], [2, "came", 7, 4, "REQUEST_INVALID", 400, "r2", 1]]


def written(*fields: object) -> bytes:
    """A record of version 1: the version, a CRC-32 of the body, and the body as a MessagePack array."""
    body = msgspec.msgpack.encode(fields)
    return bytes([1]) + crc32(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    ("customer_id", "email", "update", "events", "operations"),
    [
        ("u", "", {"plan": "pro"}, EVENTS, (UpdateContact({"plan": "pro"}), *TRACKED)),
        ("u", "", {"plan": None}, [], (UpdateContact({"plan": None}),)),
        ("u", "", {}, EVENTS, TRACKED),
        ("", "a@x.org", {}, EVENTS, TRACKED),
        ("u", "a@x.org", {}, EVENTS, (UpdateContact({}), *TRACKED)),
    ],
)
def test_envelope_is_read_as_its_operations(
    customer_id: str, email: str, update: dict[str, object], events: list[object], operations: tuple[Operation, ...]
) -> None:
    data = written("id", customer_id, email, 1.5, update, events, [FINDING], "00-trace", b"raw", 2, 9)
    findings = (Finding(*FINDING),)
    expected = AcceptedEnvelope("id", customer_id, email, 1.5, operations, findings, "00-trace", b"raw", 2, 9)
    assert record.check(data) == ""
    assert record.unpack(data, AcceptedEnvelope) == expected
    assert record.unpack(record.pack(expected), AcceptedEnvelope) == expected


def test_time_attributes_stay_times() -> None:
    """A record that a build between 0.1 and 0.2 wrote."""
    data = written("id", "u", "", 1.5, {"renewed_at": 7}, [], [], "", b"raw", 0, 0, ["renewed_at"])
    assert record.unpack(data, AcceptedEnvelope).operations == (UpdateContact({"renewed_at": 7}, ("renewed_at",)),)


def test_progress_continues_at_the_operation_where_it_was() -> None:
    progress = record.unpack(written(EFFECTS, 3, [FINDING], "no", 1), Progress)
    assert (progress.attempts, progress.not_found, progress.answer_body) == (3, 1, "no")
    indexed = index_effects(progress.effects, (UpdateContact({"plan": "pro"}), *TRACKED))
    assert [effect.operation for effect in indexed] == [0, 1]


def test_dead_letter_is_read_with_its_envelope() -> None:
    envelope = ["id", "u", "", 1.5, {"plan": "pro"}, EVENTS, [], "", b"raw"]
    outcome = ["id", "default", "u", "", 4, "REQUEST_INVALID", 1.5, 2.5, EFFECTS, [], 0, 5, ""]
    letter = record.unpack(written(7, envelope, outcome, "no"), DeadLetter)
    assert (letter.dead_letter_id, letter.answer_body) == (7, "no")
    assert letter.envelope.operations == (UpdateContact({"plan": "pro"}), *TRACKED)
    assert letter.outcome.effects[1] == Effect(
        EffectKind.EVENT, "came", 7, OutcomeType.DEAD_LETTERED, "REQUEST_INVALID", 400, "r2", 1
    )


@pytest.mark.parametrize("fields", [["id"], ["id", "u", "", 1.5, [], [], [], "", b""], []])
def test_other_fields_are_damage(fields: list[object]) -> None:
    with pytest.raises(record.RecordDamaged, match="not a AcceptedEnvelope"):
        record.unpack(written(*fields), AcceptedEnvelope)
