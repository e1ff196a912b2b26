from intercomd_daemon.spool.rows import position_of


def test_position_is_the_key_without_its_log() -> None:
    assert position_of(7 << 48 | 1234) == 1234
    assert position_of((1 << 48) - 1) == (1 << 48) - 1
