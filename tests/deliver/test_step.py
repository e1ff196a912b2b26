"""What a lane decides by, from a connection's settings."""

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.deliver.merge import MergeRules
from intercomd_daemon.deliver.step import After, Rules, rules_of


def test_every_setting_that_shapes_a_lane_reaches_it() -> None:
    settings = ConnectionSettings(
        name="eu",
        api_version="2.15",
        update_email=False,
        unchanged_for_seconds=5.0,
        limits=LimitSettings(user_attributes_max=7),
        unarchive=True,
        event_age_max_seconds=9.0,
    )
    assert rules_of(settings) == Rules("eu", MergeRules(False, 5.0, 7, False), True, 9.0)


def test_the_defaults_of_rules_are_those_of_the_settings() -> None:
    assert rules_of(ConnectionSettings(name="main")) == Rules("main")


def test_by_default_nothing_follows_an_answer() -> None:
    assert After() == (None, False)
