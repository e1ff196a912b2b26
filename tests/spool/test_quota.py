import pytest

from intercomd_daemon.envelope import Priority
from intercomd_daemon.spool.quota import (
    DEAD_LETTER_BYTES,
    ROW_OVERHEAD_BYTES,
    DiskSpace,
    Quota,
    append_cost,
    free_refusal,
    log_bytes,
    reserved,
    row_bytes,
    weigh,
)
from intercomd_daemon.spool.rows import Incoming


@pytest.mark.parametrize(
    ("used", "new", "fits"),
    [
        ({}, {"a": 750}, True),  # b is sure of 250.
        ({}, {"a": 751}, False),
        ({"b": 100}, {"a": 750}, True),
        ({"b": 250}, {"a": 750}, True),
        ({"b": 251}, {"a": 750}, False),
        ({"a": 750}, {"b": 250}, True),
        ({"a": 750}, {"b": 251}, False),
        ({"a": 750}, {"a": 1}, False),
        ({"gone": 500}, {"a": 250}, True),  # Rows of a connection that is gone count, but it is sure of nothing.
        ({"gone": 500}, {"a": 251}, False),
        ({}, {"new": 500}, True),  # One that is not in the settings leaves the others theirs.
        ({}, {"new": 501}, False),
        ({}, {"a": 500, "b": 500}, True),
        ({}, {"a": 500, "b": 501}, False),
        ({"a": 740}, {"a": 10, "b": 1}, True),
        ({"a": 750}, {"a": 1, "b": 1}, False),  # One that comes along does not give away what it is sure of.
        ({"a": 900, "b": 200}, {"a": 0}, False),  # Above the quota, as after a smaller setting.
    ],
)
def test_quota_is_shared_with_half_of_it_guaranteed(used: dict[str, int], new: dict[str, int], *, fits: bool) -> None:
    assert (Quota(1_000, ("a", "b")).refusal(used, new) == "") is fits


def test_single_connection_may_use_all() -> None:
    assert Quota(1_000, ("a",)).refusal({"a": 400}, {"a": 600}) == ""


def test_connection_gets_its_guaranteed_share() -> None:
    quota = Quota(1_000, ("a", "b", "c"))
    used = {"a": 0, "b": 0, "c": 0}
    for name in ("a", "b", "c"):
        while not quota.refusal(used, {name: 1}):
            used[name] += 1
        assert used[name] >= 166
    assert sum(used.values()) <= 1_000


def test_refusal_names_connections_and_figures() -> None:
    words = Quota(1_000, ("a", "b")).refusal({"a": 700}, {"a": 60})
    assert words == (
        "the spool's quota leaves no room for 60 bytes of a: 700 of 1000 bytes wait, 250 are kept for other connections"
        "; retry later, or raise spool.bytes_max"
    )


def test_rows_weigh_their_record_and_an_overhead_by_connection() -> None:
    rows = [Incoming(name, Priority.NORMAL, "", "", bytes(size)) for name, size in (("a", 1), ("b", 2), ("a", 3))]
    assert weigh(rows) == {"a": 4 + 2 * ROW_OVERHEAD_BYTES, "b": 2 + ROW_OVERHEAD_BYTES}
    assert row_bytes(rows[1].data) == 2 + ROW_OVERHEAD_BYTES


def test_append_cost_counts_whole_index_pages_up_to_the_file_size() -> None:
    assert append_cost(0, DiskSpace(0, 0, 1 << 30, 0)) == 0
    assert append_cost(10 * ROW_OVERHEAD_BYTES, DiskSpace(0, 0, 1 << 30, 0)) == 30 * ROW_OVERHEAD_BYTES + 20 * 4_096
    assert append_cost(10 * ROW_OVERHEAD_BYTES, DiskSpace(0, 0, 5_000, 0)) == 30 * ROW_OVERHEAD_BYTES + 5_000


def test_reserve_includes_the_write_ahead_log_which_is_smaller_on_a_small_volume() -> None:
    assert [log_bytes(size << 20) for size in (4, 24, 64, 4_096)] == [512 << 10, 1_536 << 10, 4 << 20, 16_384_000]
    assert reserved(0, 0, DiskSpace(0, 64 << 20, 0, 1)) == 6 << 20
    assert reserved(0, 0, DiskSpace(0, 64 << 20, 0, 5 << 20)) == 7 << 20
    assert reserved(1, 2, DiskSpace(0, 64 << 20, 0, 0)) == (6 << 20) + 2 * DEAD_LETTER_BYTES + 3


def test_low_free_space_refuses_appends() -> None:
    assert free_refusal(100, 100) == ""
    assert free_refusal(150, 100, 50) == ""
    assert free_refusal(149, 100, 50) == (
        "the disk has 149 bytes left, and spool.free_bytes_min keeps 100 of them, and settling and checkpoints need 50"
        " more; retry later, or free space on the disk"
    )
    assert free_refusal(99, 100) == (
        "the disk has 99 bytes left, and spool.free_bytes_min keeps 100 of them; retry later, or free space on the disk"
    )
