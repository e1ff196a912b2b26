"""Which daemons of a fleet run, and whose settings differ."""

from intercomd_daemon.fleet.lease import Terms
from intercomd_daemon.fleet.status import Beat, FleetStatus, MemberRow, differing, follow, members_of

TERMS = Terms(10.0)


def row(name: str, seen: float = 1_000.0, **settings: str) -> MemberRow:
    return MemberRow(f"incarnation of {name}", name, "0.2.0", 900.0, seen, settings)


def test_member_is_alive_while_its_row_changes() -> None:
    rows = [row("a"), row("b")]
    beats = follow({}, rows, now=50.0, wall=1_001.0)
    assert beats == {each.incarnation: Beat(1_000.0, 49.0) for each in rows}
    rows = [row("b"), row("a", seen=1_011.0)]
    beats = follow(beats, rows, now=60.9, wall=1_012.0)
    assert [(each.daemon_id, each.alive) for each in members_of(rows, beats, {}, 60.9, TERMS)] == [
        ("a", True),
        ("b", True),
    ]
    beats = follow(beats, rows, now=61.0, wall=1_012.1)
    assert [(each.daemon_id, each.alive) for each in members_of(rows, beats, {}, 61.0, TERMS)] == [
        ("a", True),
        ("b", False),
    ]
    assert follow(beats, [row("a", seen=1_011.0)], 62.0, 1_013.0) == {"incarnation of a": Beat(1_011.0, 60.9)}


def test_clock_that_was_set_back_makes_no_member_newer_than_now() -> None:
    assert follow({}, [row("a", seen=5_000.0)], now=50.0, wall=1_000.0)["incarnation of a"].at == 50.0


def test_sections_that_differ_or_are_missing_are_named() -> None:
    own = {"spool": "1", "connections.eu": "2", "connections.us": "3"}
    assert differing(own, {}) == differing({}, own) == ()  # One of them has not stored its digests yet.
    assert differing(own, {"spool": "1", "connections.eu": "4", "connections.au": "5"}) == (
        "connections.au",
        "connections.eu",
        "connections.us",
    )
    rows = [row("a", **own)]
    (member,) = members_of(rows, follow({}, rows, 0.0, 1_000.0), own, 0.0, TERMS)
    assert member.differing == ()


def test_status_is_empty_before_the_first_read() -> None:
    status = FleetStatus("a")
    assert (status.members, status.deliveries, dict(status.database.dead_rows)) == ((), (), {})
