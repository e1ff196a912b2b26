"""The wait before a failed call is repeated, as a table."""

import pytest

from intercomd_daemon.deliver.schedule.pacing import retry_delay


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
@pytest.mark.fills("deliver.schedule.pacing.RETRY_SECONDS_MAX")
def test_retry_delay_doubles_up_to_its_limit(failures: int, jitter: float, seconds: float) -> None:
    assert retry_delay(failures, jitter) == seconds
