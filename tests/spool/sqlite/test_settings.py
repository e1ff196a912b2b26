from intercomd_daemon.spool.sqlite import SqliteSettings


def test_defaults_are_those_of_the_contract() -> None:
    assert SqliteSettings() == SqliteSettings(
        path="intercomd.db",
        bytes_max=2 * 1024**3,
        free_bytes_min=256 * 1024**2,
        duplicate_window_seconds=24 * 3600.0,
        outcomes_max=1_000_000,
        outcomes_kept_seconds=72 * 3600.0,
        refusals_max=10_000,
        lock_wait_seconds=60.0,
        connections=("default",),
    )
