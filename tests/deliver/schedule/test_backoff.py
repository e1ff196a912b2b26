"""The wait before trying again, as a table."""

import pytest

from intercomd_daemon.deliver.schedule.backoff import delay_seconds


@pytest.mark.parametrize(
    ("failures", "jitter", "seconds"),
    [
        (1, 1.0, 1.0),
        (2, 1.0, 2.0),
        (3, 1.0, 4.0),
        (9, 1.0, 256.0),
        (10, 1.0, 300.0),
        (10**9, 1.0, 300.0),
        (10**9, 0.5, 150.0),
        (3, 0.25, 1.0),
        (3, 0.0, 0.0),
    ],
)
@pytest.mark.fills("deliver.schedule.backoff.CAP_SECONDS")
def test_table(failures: int, jitter: float, seconds: float) -> None:
    assert delay_seconds(failures, jitter) == seconds
