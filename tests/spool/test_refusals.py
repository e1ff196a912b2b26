from collections.abc import Sequence

import pytest

from intercomd_daemon.envelope import Finding, Refusal
from intercomd_daemon.spool.refusals import BYTES_MAX, Refusals, size_of
from intercomd_daemon.spool.trail import TrailFilter

NOW = 1_750_000_000.0
EVERYTHING = TrailFilter()


def made(
    name: str, *, connection: str = "default", caller: str = "", reason: str = "INVALID_EMAIL", size: int = 9
) -> Refusal:
    violations = (Finding(reason, "identity.email", "x" * size),)
    return Refusal(NOW, name, connection, "ann", "", 4, violations, "", caller)


def names(refusals: Sequence[Refusal]) -> list[str]:
    return [refusal.envelope_id for refusal in refusals]


@pytest.mark.parametrize("flood", [{"caller": "noisy"}, {"connection": "eu"}, {"caller": "noisy", "connection": "eu"}])
def test_flood_of_one_caller_or_connection_displaces_its_own_refusals(flood: dict[str, str]) -> None:
    refusals = Refusals(10, 100.0)
    refusals.add([made("a"), made("b")])
    refusals.add([made(str(number), **flood) for number in range(1_000)])
    assert names(refusals.find(EVERYTHING, 0, 100, NOW)) == [*(str(number) for number in range(999, 991, -1)), "b", "a"]


def test_unknown_connections_share_one_part_whatever_they_are_named() -> None:
    refusals = Refusals(10, 100.0)
    refusals.add([made("a"), made("b")])
    refusals.add([made(f"u{number}", connection=f"c{number}", reason="UNKNOWN_CONNECTION") for number in range(100)])
    assert names(refusals.find(EVERYTHING, 0, 100, NOW))[-2:] == ["b", "a"]
    assert names(refusals.find(TrailFilter(connection="c99"), 0, 100, NOW)) == ["u99"]


@pytest.mark.fills("spool.refusals.BYTES_MAX")
def test_large_refusals_displace_those_of_their_own_share() -> None:
    refusals = Refusals(100_000, 100.0)
    refusals.add([made("a", connection="eu")])
    refusals.add([made(str(number), size=10_000) for number in range(1_000)])
    kept = refusals.all(NOW)
    assert names(kept)[0] == "a"
    assert BYTES_MAX - 20_000 < sum(map(size_of, kept)) <= BYTES_MAX


def test_loaded_refusals_keep_their_numbers_and_new_ones_follow() -> None:
    first = Refusals(10, 100.0)
    first.add([made("a"), made("b")])
    second = Refusals(10, 100.0)
    second.load(first.all(NOW))
    assert not second.changed
    second.add([made("c")])
    assert [(each.envelope_id, each.number) for each in second.all(NOW)] == [("a", 1), ("b", 2), ("c", 3)]
    assert second.changed


def test_no_refusals_are_kept_if_none_may_be() -> None:
    refusals = Refusals(0, 100.0)
    refusals.add([made("a")])
    assert refusals.all(NOW) == []


def test_old_refusals_are_hidden() -> None:
    refusals = Refusals(10, 100.0)
    refusals.add([made("a")])
    assert refusals.all(NOW + 100.5) == []
    assert refusals.find(EVERYTHING, 0, 10, NOW + 99.5) != []


def test_expired_refusals_are_dropped_and_no_longer_count() -> None:
    refusals = Refusals(3, 100.0)
    refusals.add([made("a"), made("b", connection="eu")])
    refusals.expire(NOW + 50.0)
    assert names(refusals.all(NOW)) == ["a", "b"]
    refusals.expire(NOW + 100.5)
    assert refusals.all(NOW) == []
    refusals.add([made(name) for name in ("c", "d", "e")])
    assert names(refusals.all(NOW)) == ["c", "d", "e"]
