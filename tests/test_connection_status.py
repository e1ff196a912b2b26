from intercomd_daemon.connection_status import ConnectionState


def test_numbers_of_states_are_those_of_the_gauge() -> None:
    assert [(state.name, int(state)) for state in ConnectionState] == [
        ("VERIFYING", 1),
        ("DELIVERING", 2),
        ("DOWN", 3),
        ("SUSPENDED", 4),
        ("PAUSED", 5),
        ("INACTIVE", 6),
    ]
