"""How a connection stands, as numbers that operators see."""

from intercomd_daemon.deliver.status import ConnectionState


def test_the_numbers_of_standings_stay() -> None:
    """Gauges and stored pictures of them outlive a release."""
    assert {state.name: state.value for state in ConnectionState} == {
        "VERIFYING": 1,
        "DELIVERING": 2,
        "DOWN": 3,
        "SUSPENDED": 4,
        "PAUSED": 5,
        "INACTIVE": 6,
    }
