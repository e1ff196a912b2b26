import msgspec
import pytest

from intercomd_daemon.outcome import Effect, EffectKind, OutcomeType, Progress
from intercomd_daemon.spool import record

PROGRESS = Progress((Effect(EffectKind.EVENT, "order", 1, OutcomeType.DELIVERED, "", 202, "r1", 1),), 3)


def test_domain_object_is_unpacked_as_it_was_packed() -> None:
    assert record.unpack(record.pack(PROGRESS), Progress) == PROGRESS


def test_every_single_flipped_bit_is_noticed() -> None:
    data = record.pack(PROGRESS)
    for place in range(8 * len(data)):
        corrupted = bytearray(data)
        corrupted[place // 8] ^= 1 << place % 8
        assert record.check(bytes(corrupted))


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01abcd", b"\x03abcdefgh", b"no record"])
def test_other_bytes_are_not_a_record(data: bytes) -> None:
    assert record.check(data)
    with pytest.raises(record.RecordDamaged):
        record.unpack(data, Progress)


def test_sound_record_of_another_type_is_refused_by_name() -> None:
    with pytest.raises(record.RecordDamaged, match="not a Progress"):
        record.unpack(record.pack(Effect(EffectKind.EVENT, "", 0, OutcomeType.DELIVERED, "", 0, "", 0)), Progress)


class Earlier(msgspec.Struct, array_like=True):
    name: str = ""


class Later(msgspec.Struct, array_like=True):
    name: str = ""
    added: int = 5


def test_fields_added_by_a_later_release_are_skipped() -> None:
    assert record.unpack(record.pack(Later("x", 7)), Earlier) == Earlier("x")


def test_fields_missing_in_an_earlier_release_get_their_default() -> None:
    assert record.unpack(record.pack(Earlier("x")), Later) == Later("x", 5)
