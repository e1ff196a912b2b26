import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.keys import CONNECTIONS_MAX, connection_of, log_end, log_start, priority_of


@pytest.mark.parametrize("number", [1, 2, 77, CONNECTIONS_MAX])
@pytest.mark.parametrize("priority", list(Priority))
def test_key_holds_connection_and_priority(number: int, priority: Priority) -> None:
    for key in (log_start(number, priority) + 1, log_end(number, priority) - 1):
        assert (connection_of(key), priority_of(key)) == (number, priority)


def test_keys_order_connections_then_priorities() -> None:
    bounds = [
        log_start(1, Priority.NORMAL),
        log_end(1, Priority.NORMAL),
        log_start(1, Priority.BULK),
        log_end(1, Priority.BULK),
        log_start(2, Priority.NORMAL),
    ]
    assert bounds == sorted(bounds)


def test_last_key_is_a_signed_64_bit_number() -> None:
    assert log_end(CONNECTIONS_MAX, Priority.BULK) == 1 << 63
