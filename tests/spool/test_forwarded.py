from intercomd_daemon.spool import record
from intercomd_daemon.spool.forwarded import Forwarded, with_duplicates

SENT = Forwarded("edge", "agent-1", "default", 3, b"results")


def test_duplicates_are_the_rows_without_a_key() -> None:
    assert with_duplicates(SENT, [5, 0, 6, 0]).duplicates == (1, 3)
    assert with_duplicates(SENT, [5, 6]) == SENT


def test_record_is_read_back() -> None:
    assert record.unpack(record.pack(SENT), Forwarded) == SENT


def test_key_names_caller_agent_and_connection() -> None:
    assert SENT.key == ("edge", "agent-1", "default")
