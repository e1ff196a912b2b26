"""The settings of a stop; tests/e2e/test_stopping.py stops whole daemons by them."""

from typing import Any

import pytest

from intercomd_daemon.config.setting_keys import keys_of
from intercomd_daemon.stopping import StoppingSettings

KEYS = keys_of(StoppingSettings)


def test_defaults_are_those_of_the_contract() -> None:
    """The numbers of the contract with operators."""
    settings = StoppingSettings()
    assert (settings.linger_seconds, settings.drain_seconds, settings.deliver_seconds) == (2.0, 20.0, 0.0)


@pytest.mark.parametrize("key", ["linger", "drain", "deliver"])
@pytest.mark.parametrize("wrong", ["-1s", "2", "48h", 2, True, ""])
def test_other_values_than_durations_are_refused(key: str, wrong: Any) -> None:  # noqa: ANN401 - of any type
    with pytest.raises(ValueError, match=r"duration|out of range"):
        KEYS[key].read(wrong)


@pytest.mark.parametrize("key", ["linger", "drain", "deliver"])
def test_no_time_at_all_is_possible(key: str) -> None:
    assert KEYS[key].read("0s") == 0.0
