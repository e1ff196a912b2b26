"""Settings that can never work are refused."""

import pytest

from intercomd import PublisherSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_envelopes_max": 0},
        {"batch_bytes_max": 0},
        {"buffer_bytes_max": 0},
        {"calls_in_flight_max": 0},
        {"linger_seconds": -1.0},
        {"call_seconds": 0.0},
        {"backoff_seconds": -1.0},
        {"close_seconds": -1.0},
    ],
)
def test_setting_out_of_its_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        PublisherSettings(**wrong)


def test_defaults_follow_the_contract() -> None:
    assert PublisherSettings().batch_envelopes_max == 200
    assert PublisherSettings().batch_bytes_max == 1024 * 1024
