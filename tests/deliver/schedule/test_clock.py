"""The clocks that a worker gets unless it is given others."""

from intercomd_daemon.deliver.schedule.clock import Clock


def test_the_clocks_are_the_machine_s_own() -> None:
    clock = Clock()
    assert clock.wall() > 1_700_000_000
    assert clock.monotonic() <= clock.monotonic()
    assert 0 <= clock.jitter() < 1
