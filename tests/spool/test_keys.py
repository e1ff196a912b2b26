import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.keys import CONNECTIONS_MAX, connection_of, log_end, log_start, priority_of


@pytest.mark.parametrize("number", [1, 2, 77, CONNECTIONS_MAX])
@pytest.mark.parametrize("priority", list(Priority))
def test_a_key_says_whose_it_is_and_its_priority(number: int, priority: Priority) -> None:
    for key in (log_start(number, priority) + 1, log_end(number, priority) - 1):
        assert (connection_of(key), priority_of(key)) == (number, priority)


def test_normal_rows_of_a_connection_come_before_its_bulk_rows_and_both_before_the_next_connection() -> None:
    bounds = [
        log_start(1, Priority.NORMAL),
        log_end(1, Priority.NORMAL),
        log_start(1, Priority.BULK),
        log_end(1, Priority.BULK),
        log_start(2, Priority.NORMAL),
    ]
    assert bounds == sorted(bounds)


def test_the_last_key_is_a_signed_64_bit_number() -> None:
    assert log_end(CONNECTIONS_MAX, Priority.BULK) == 1 << 63
