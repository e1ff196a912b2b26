"""SpoolStatus has counts, fill ratio and age."""

import pytest

from intercomd_daemon.rpc.spool_status import spool_status
from intercomd_daemon.spool.rows import LogUsage, Usage

USAGE = Usage({"default": LogUsage(normal=2, bulk=1, oldest_accept_time=90.0), "eu": LogUsage()}, 50, 200, "")


def test_status_has_counts_fill_ratio_and_age() -> None:
    status = spool_status(USAGE, 100.5)
    assert (status.envelopes, status.bytes, status.fill_ratio) == (3, 50, 0.25)
    assert status.oldest_age.ToMilliseconds() == 10_500


@pytest.mark.parametrize(
    ("usage", "ratio"),
    [
        (Usage({}, 0, 100, ""), 0.0),
        (Usage({}, 500, 100, ""), 1.0),
        (Usage({}, 5, 100, "the disk is full"), 1.0),
    ],
)
def test_refusing_spool_counts_as_full(usage: Usage, ratio: float) -> None:
    """An empty spool has no age."""
    status = spool_status(usage, 100.0)
    assert status.fill_ratio == ratio
    assert not status.HasField("oldest_age")


def test_age_is_never_negative() -> None:
    assert spool_status(USAGE, 50.0).oldest_age.ToMilliseconds() == 0
