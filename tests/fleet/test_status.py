"""Which daemons of a fleet run, and whose settings differ."""

from intercomd_daemon.fleet.heartbeat import Heartbeat
from intercomd_daemon.fleet.lease import Terms
from intercomd_daemon.fleet.status import FleetStatus, MemberRow, differing, members_of

TERMS = Terms(10.0)


def row(name: str, **settings: str) -> MemberRow:
    return MemberRow(f"incarnation of {name}", name, "0.2.0", 900.0, 7, 1_000.0, settings)


def heard(*rows: MemberRow) -> dict[str, Heartbeat]:
    """Heartbeats at 0 s."""
    return {each.incarnation: Heartbeat(each.heartbeats, 0.0) for each in rows}


def test_living_members_are_first() -> None:
    rows = [row("b"), row("a"), row("c")]
    heartbeats = heard(*rows) | {"incarnation of a": Heartbeat(7, -5.0)}
    assert [(each.daemon_id, each.alive) for each in members_of(rows, heartbeats, {}, 11.9, TERMS)] == [
        ("b", True),
        ("c", True),
        ("a", False),
    ]


def test_sections_that_differ_or_are_missing_are_named() -> None:
    own = {"spool": "1", "connections.eu": "2", "connections.us": "3"}
    assert differing(own, {}) == differing({}, own) == ()  # One of them has not stored its digests yet.
    assert differing(own, {"spool": "1", "connections.eu": "4", "connections.au": "5"}) == (
        "connections.au",
        "connections.eu",
        "connections.us",
    )
    rows = [row("a", **own)]
    (member,) = members_of(rows, heard(*rows), own, 0.0, TERMS)
    assert member.differing == ()


def test_status_is_empty_before_the_first_read() -> None:
    status = FleetStatus("a")
    assert (status.members, status.deliveries, dict(status.database.dead_rows)) == ((), (), {})
