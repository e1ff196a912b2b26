"""The default clocks of a worker."""

from intercomd_daemon.deliver.schedule.clock import Clock


def test_default_clocks_are_those_of_the_machine() -> None:
    clock = Clock()
    assert clock.wall() > 1_700_000_000
    assert clock.monotonic() <= clock.monotonic()
    assert 0 <= clock.jitter() < 1
