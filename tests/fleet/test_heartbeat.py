"""Which processes of a fleet are alive."""

from intercomd_daemon.fleet.heartbeat import Heartbeat, follow_heartbeats, is_alive
from intercomd_daemon.fleet.lease import Terms

TERMS = Terms(lease_seconds=10.0)


def test_process_is_alive_while_its_count_changes() -> None:
    seen = follow_heartbeats({}, {"a": 6, "b": 6}, 100.0)
    assert seen == {"a": Heartbeat(6, 100.0), "b": Heartbeat(6, 100.0)}
    seen = follow_heartbeats(seen, {"a": 7, "b": 6}, 111.0)
    assert [name for name, each in seen.items() if is_alive(each, 111.9, TERMS)] == ["a", "b"]
    assert [name for name, each in seen.items() if is_alive(each, 112.0, TERMS)] == ["a"]
    assert follow_heartbeats(seen, {"a": 7}, 112.0) == {"a": Heartbeat(7, 111.0)}


def test_age_counts_only_for_a_process_that_is_seen_for_the_first_time() -> None:
    seen = follow_heartbeats({}, {"a": 1, "b": 1}, 50.0, {"a": 30.0, "b": 0.0})
    assert seen == {"a": Heartbeat(1, 20.0), "b": Heartbeat(1, 50.0)}
    assert follow_heartbeats(seen, {"a": 2, "b": 1}, 60.0, {"a": 5.0, "b": 5.0}) == {
        "a": Heartbeat(2, 60.0),
        "b": Heartbeat(1, 50.0),
    }
